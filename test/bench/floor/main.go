// Command floor does the minimum of a sync: it fetches the pages that a sync needs, decodes them, keeps the
// memberships in memory, and writes nothing. It uses neither this project's clients nor its file code, so
// that a benchmark can compare them with it.
//
//	discard  reads the bytes
//	decode   decodes with encoding/json, row by row
//	fast     decodes reports and groups with a tokenizer that skips unused parts
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	upstream := flags.String("upstream", "", "percipio or scim")
	url := flags.String("url", "", "address of the upstream")
	token := flags.String("token", "", "bearer token")
	organization := flags.String("organization", "", "organisation id, for percipio")
	mode := flags.String("mode", "fast", "discard, decode or fast")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := &client{base: strings.TrimSuffix(*url, "/"), token: *token, mode: *mode}
	if *mode != "discard" && *mode != "decode" && *mode != "fast" {
		return fmt.Errorf("%q is not a mode", *mode)
	}
	var kept Kept
	var err error
	switch *upstream {
	case "percipio":
		kept, err = c.percipio(ctx, *organization)
	case "scim":
		kept, err = c.scim(ctx)
	default:
		err = fmt.Errorf("%q is not an upstream", *upstream)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(kept)
}

// Kept holds the counts of the data that the floor read.
type Kept struct {
	Users int `json:"users"`
	Items int `json:"items"` // courses, or groups
	Pairs int `json:"pairs"` // rows of the report, or memberships
}

type client struct {
	base, token, mode string
}

// do sends a request and passes the body to read.
func (c *client) do(ctx context.Context, method, path, body string, read func(http.Header, io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	if err := read(res.Header, res.Body); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	// Read to the end, so that the connection can be reused.
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// rows decodes a JSON list with encoding/json, row by row. The opening bracket may have been read before.
func rows[T any](dec *json.Decoder, each func(*T)) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(err, errors.New("there is no list"))
	}
	for dec.More() {
		var row T
		if err := dec.Decode(&row); err != nil {
			return err
		}
		each(&row)
	}
	_, err := dec.Token()
	return err
}

// pairs holds memberships in eight bytes each, by the numbers of their ids.
type pairs struct {
	users, items numbers
	list         []pair
}

// pair is a user and an item. The top bit of item is set if it is completed.
type pair struct{ user, item uint32 }

const completed = 1 << 31

// numbers assigns a number to each id.
type numbers map[string]uint32

func (n numbers) of(id []byte) uint32 {
	if i, ok := n[string(id)]; ok {
		return i
	}
	i := uint32(len(n))
	n[string(id)] = i
	return i
}

func newPairs() *pairs { return &pairs{users: numbers{}, items: numbers{}} }

func (p *pairs) add(user, item []byte, done bool) {
	it := p.items.of(item)
	if done {
		it |= completed
	}
	p.list = append(p.list, pair{p.users.of(user), it})
}

// together runs the parts concurrently, and returns their errors.
func together(parts ...func() error) error {
	failed := make(chan error, len(parts))
	for _, part := range parts {
		go func() { failed <- part() }()
	}
	var err error
	for range parts {
		err = errors.Join(err, <-failed)
	}
	return err
}
