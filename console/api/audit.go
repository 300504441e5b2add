package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"baton"
	"baton/console/govern"
)

// streamWrite is how long a client may take to read what is written at once.
const streamWrite = 30 * time.Second

// streamAudit writes the events behind a cursor as JSON lines, one event each, and waits for further
// ones for as many seconds as the client asks for. Empty lines keep the connection open.
func streamAudit(c *call) error {
	q := c.r.URL.Query()
	wait := 0
	if s := q.Get("wait"); s != "" {
		var err error
		if wait, err = strconv.Atoi(s); err != nil {
			return baton.Errorf(baton.Invalid, "%q is no number of seconds", s)
		}
	}
	out := http.NewResponseController(c.w)
	began := false
	write := func(b []byte) error {
		if !began {
			began = true
			c.w.Header().Set("Content-Type", "application/jsonl")
		}
		out.SetWriteDeadline(time.Now().Add(streamWrite)) // an error means that the server supports no deadline
		_, err := c.w.Write(append(b, '\n'))
		return err
	}
	err := c.Console.StreamAudit(c.ctx(), c.caller, q.Get("after"), time.Duration(wait)*time.Second, func(l govern.StreamLine) error {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		if err := write(b); err != nil {
			return err
		}
		return out.Flush()
	}, func() error {
		if err := write(nil); err != nil {
			return err
		}
		return out.Flush()
	})
	switch {
	case err == nil && !began:
		c.w.Header().Set("Content-Type", "application/jsonl")
	case err != nil && began:
		panic(http.ErrAbortHandler) // every line that arrived is whole; the client resumes behind the last
	}
	return err
}
