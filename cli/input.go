package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// maxInput bounds a file of --file.
const maxInput = 16 << 20

// original are fields of the original demo's messages that clients used to fill in and that mean nothing in a request: the
// service decides about them. They are dropped, so that its sample files still work.
var original = []string{"id", "user_id", "vessel_id", "ower_id", "available"}

// The fields that may stand in a file; a nested list is checked by fields of its own.
var (
	vesselFields      = fields{"name": nil, "capacity": nil, "max_weight": nil, "imo": nil, "open_sailing": nil}
	containerFields   = fields{"number": nil, "type": nil, "customer_id": nil, "origin": nil}
	consignmentFields = fields{"description": nil, "weight": nil, "containers": containerFields, "from": nil, "to": nil, "not_before": nil, "voyage_id": nil}
)

// fields are the names of an object's members, with the fields of the objects in those that are lists.
type fields map[string]fields

// readInput reads a file, or standard input where its name is "-".
func readInput(ctx context.Context, s Streams, name string) ([]byte, error) {
	data, err := await(ctx, func() ([]byte, error) {
		if name == "-" {
			return io.ReadAll(io.LimitReader(s.In, maxInput+1))
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxInput+1))
	})
	if name == "-" {
		name = "standard input"
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		// The name is said already, so only the reason of a path error is of use.
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, usageError(fmt.Sprintf("%s cannot be read: %v", name, err))
	}
	if len(data) > maxInput {
		return nil, usageError(fmt.Sprintf("%s is larger than %d bytes", name, maxInput))
	}
	return data, nil
}

// parseObjects reads one JSON object, or a list of them where that is allowed. Many tells which it was. All unknown fields
// of all objects are named at once.
func parseObjects(data []byte, known fields, listAllowed bool) (objects []members, many bool, err error) {
	data = bytes.TrimSpace(data)
	if many = bytes.HasPrefix(data, []byte("[")); many && listAllowed {
		err = json.Unmarshal(data, &objects)
	} else {
		many = false
		objects = make([]members, 1)
		err = json.Unmarshal(data, &objects[0])
	}
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, false, usageError(fmt.Sprintf("line %d is not JSON: %v", 1+bytes.Count(data[:max(0, syntax.Offset-1)], []byte("\n")), err))
		}
		what := "an object"
		if listAllowed {
			what = "an object or a list of objects"
		}
		return nil, false, usageError("the file does not hold " + what)
	}
	var unknown []string
	for i := range objects {
		at := ""
		if many {
			at = fmt.Sprintf("[%d].", i)
		}
		if objects[i] == nil {
			return nil, false, usageError("null is not an object")
		}
		unknown = append(unknown, known.filter(objects[i], at)...)
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, false, usageError("unknown fields: " + strings.Join(unknown, ", "))
	}
	return objects, many, nil
}

// filter drops the original's fields from an object and names the unknown ones by their path. It looks at names only: the
// values are the service's to judge.
func (f fields) filter(object members, at string) (unknown []string) {
	for name, value := range object {
		nested, known := f[name]
		switch {
		case !known && slices.Contains(original, name):
			delete(object, name)
		case !known:
			unknown = append(unknown, at+name)
		case nested != nil:
			var list []members
			if json.Unmarshal(value, &list) != nil {
				continue
			}
			for i, item := range list {
				unknown = append(unknown, nested.filter(item, fmt.Sprintf("%s%s[%d].", at, name, i))...)
			}
			if filtered, err := encode(list); err == nil {
				object[name] = filtered
			}
		}
	}
	return unknown
}

// pairs reads "name=value,name=value" with names of a known list. A comma that no name follows belongs to the value, as in
// origin=Derby, United Kingdom.
func pairs(text string, names ...string) (map[string]string, error) {
	result := make(map[string]string)
	last := ""
	for _, piece := range strings.Split(text, ",") {
		name, value, found := strings.Cut(piece, "=")
		switch {
		case found && slices.Contains(names, name):
			if _, twice := result[name]; twice {
				return nil, usageError(fmt.Sprintf("%q names %s twice", text, name))
			}
			result[name], last = value, name
		case found && !strings.Contains(name, " "), last == "":
			return nil, usageError(fmt.Sprintf("%q is not of the form name=value, where name is one of %s", piece, strings.Join(names, ", ")))
		default:
			result[last] += "," + piece
		}
	}
	return result, nil
}
