package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// fileBodies reads the bodies of --file, which stands without the flags that say the same by hand.
func fileBodies(cmd *cobra.Command, r *remote, file string, known fields, listAllowed bool, byHand []string) (bodies []any, many bool, err error) {
	if err := exclude(cmd, "file", byHand...); err != nil {
		return nil, false, err
	}
	data, err := readInput(cmd.Context(), r.streams, file)
	if err != nil {
		return nil, false, err
	}
	objects, many, err := parseObjects(data, known, listAllowed)
	if err != nil {
		return nil, false, err
	}
	for _, object := range objects {
		bodies = append(bodies, object)
	}
	return bodies, many, nil
}

// create posts the bodies one after the other and prints what was made, even when a later one is refused. Repeated with the
// same --key it goes on where it was cut off. For programs the
// answers form a list where the input was one.
func create[T any](cmd *cobra.Command, r *remote, path string, bodies []any, many bool, key string, columns []column[T]) error {
	keys, err := r.keys(len(bodies), many)
	if err != nil {
		return err
	}
	c, err := r.signedIn()
	if err != nil {
		return err
	}
	defer c.close()
	answers := []json.RawMessage{}
	var failed error
	for i, body := range bodies {
		data, err := c.change(cmd.Context(), path, keys[i], body)
		if err != nil {
			failed = nameKey(err, r.key)
			if many {
				failed = fmt.Errorf("number %d of %d: %w", i+1, len(bodies), err)
			}
			break
		}
		answers = append(answers, data)
	}
	return errors.Join(failed, printAnswers(r, answers, many, key, columns))
}

func printAnswers[T any](r *remote, answers []json.RawMessage, many bool, key string, columns []column[T]) error {
	switch {
	case many && r.asJSON():
		data, err := encode(answers)
		if err != nil {
			return err
		}
		return printJSON(r.streams.Out, data)
	case len(answers) == 0:
		return nil
	case !many:
		_, err := printMember(r, answers[0], key, columns)
		return err
	}
	items := make([]T, len(answers))
	for i, data := range answers {
		answer, err := decode[members](data)
		if err != nil {
			return err
		}
		if items[i], err = decode[T](answer.or(key, "{}")); err != nil {
			return err
		}
	}
	return printTable(r.streams.Out, items, columns)
}
