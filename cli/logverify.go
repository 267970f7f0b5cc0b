package cli

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/log/chain"
)

// linksPerPage is how much of a chain is asked for at once, the most that the gateway gives.
const linksPerPage = 1_000

func logVerifyCommand(r *remote) *cobra.Command {
	var (
		pinned []string
		file   string
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no entry of the log was changed, moved or taken out",
		Long: "Read the whole log, for which an admin must be logged in, and compute its hash chains anew: every entry must follow\n" +
			"from the one before it, the chains must hold what was signed each minute, and the signed heads must follow from each\n" +
			"other without a gap. Nothing that the service says of itself is believed but its public key, and with --public-key\n" +
			"not even that. Keep a copy of the key, service-log.pub.pem in the key directory, where nobody who runs the service\n" +
			"can change it.\n\n" +
			"The log itself cannot show that its newest signed heads were taken out together with all that only they hold. For\n" +
			"that there is --heads: it keeps the newest heads in a file, and the next time the log must still have them. Keep it\n" +
			"where the copy of the key is. The end of a chain behind the last signed position (the column SIGNED) could still be cut off\n" +
			"unnoticed; signing follows within a minute or so. The exit code is 0 when nothing wrong was found.",
		Example: `  fairway log verify
  fairway log verify --public-key service-log.pub.pem --heads heads.json
  fairway log verify -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := readPublicKeys(cmd.Context(), r.streams, pinned)
			if err != nil {
				return err
			}
			var kept *chain.Signed
			if cmd.Flags().Changed("heads") {
				if kept, err = readKeptHeads(file); err != nil {
					return err
				}
			}
			c, err := r.signedIn()
			if err != nil {
				return err
			}
			defer c.close()
			report, err := verifyLog(cmd.Context(), c, keys, kept)
			if err != nil {
				return err
			}
			if err := printReport(r, report); err != nil || file == "" {
				return err
			}
			return keepHeads(r, file, report, kept == nil)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&pinned, "public-key", nil, "the log's public key, a PEM file or 64 hexadecimal digits; repeat it for keys that were in use before")
	f.StringVar(&file, "heads", "", "a file with the newest signed heads of the last time, which the log must still have; where nothing\nwrong is found it is written anew with those of this time, and made if it is not there")
	return r.attach(cmd)
}

// verifyLog reads the log and verifies it, against the heads that were kept if there are any. Without keys those that the gateway
// names are trusted.
func verifyLog(ctx context.Context, c *client, keys []ed25519.PublicKey, kept *chain.Signed) (chain.Report, error) {
	v, err := readHeads(ctx, c, keys, kept)
	if err != nil {
		return chain.Report{}, err
	}
	for number := range chain.Count {
		if err := readChain(ctx, c, v, number); err != nil {
			return chain.Report{}, err
		}
	}
	return v.Report(), nil
}

// readHeads makes the verifier and gives it the heads that were kept and all that are in the log.
func readHeads(ctx context.Context, c *client, keys []ed25519.PublicKey, kept *chain.Signed) (*chain.Verifier, error) {
	var v *chain.Verifier
	query := url.Values{"limit": {strconv.Itoa(rule.MaxPage)}}
	for {
		data, err := c.get(ctx, "/log-heads", query)
		if err != nil {
			return nil, err
		}
		page, err := decode[struct {
			Heads []headsView       `json:"heads"`
			Next  string            `json:"next_cursor"`
			Keys  map[string][]byte `json:"keys"`
		}](data)
		if err != nil {
			return nil, err
		}
		if v == nil {
			if len(keys) == 0 {
				for _, key := range page.Keys {
					keys = append(keys, key)
				}
			}
			v = chain.NewVerifier(keys...)
			if kept != nil {
				v.Anchor(*kept)
			}
		}
		for _, h := range page.Heads {
			v.Heads(h.signed())
		}
		if page.Next == "" {
			return v, nil
		}
		if page.Next == query.Get("cursor") {
			return nil, fmt.Errorf("the list of signed heads does not advance beyond cursor %q", page.Next)
		}
		query.Set("cursor", page.Next)
	}
}

// readChain gives the verifier one chain.
func readChain(ctx context.Context, c *client, v *chain.Verifier, number int) error {
	for after := int64(0); ; {
		data, err := c.get(ctx, "/log-chains", url.Values{
			"chain": {strconv.Itoa(number)},
			"after": {strconv.FormatInt(after, 10)},
			"limit": {strconv.Itoa(linksPerPage)},
		})
		if err != nil {
			return err
		}
		page, err := decode[struct {
			Links []struct {
				Position int64  `json:"position"`
				Hash     string `json:"hash"`
				Content  string `json:"content"`
			} `json:"links"`
		}](data)
		if err != nil {
			return err
		}
		if len(page.Links) == 0 {
			return nil
		}
		before := after
		for _, l := range page.Links {
			hash, _ := hex.DecodeString(l.Hash) // one that is none does not fit
			v.Link(number, chain.Link{Position: l.Position, Hash: hash, Content: []byte(l.Content)})
			after = max(after, l.Position)
		}
		if after == before {
			return fmt.Errorf("chain %d does not advance beyond position %d", number, after)
		}
	}
}
