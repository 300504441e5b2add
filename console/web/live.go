package web

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// live tells a browser where to learn that a page is out of date, and which version the page shows.
type live struct {
	Path    string
	Version govern.Version
	From    string // address of the page, for the answer to a form; "" for its own
}

func (h connectorHead) live() live {
	return live{Path: "/live/connectors/" + string(h.Connector.ID), Version: h.Version}
}

func (p syncsPage) live() live      { return p.Head.live() }
func (p logPage) live() live        { return p.Head.live() }
func (l connectorsList) live() live { return live{Path: "/live/connectors", Version: l.Version} }

// live keeps the state of the connector up to date above its settings. Their forms, and a secret that is
// shown once, stay as they are.
func (p settingsPage) live() live {
	l := p.Head.live()
	l.From = "/connectors/" + string(p.Head.Connector.ID) + "/settings"
	return l
}

// openStreams counts the open event streams of this process.
var openStreams atomic.Int64

// Streams returns how many pages this process keeps up to date.
func Streams() int64 { return openStreams.Load() }

// streams limits the open event streams.
type streams struct {
	mu    sync.Mutex
	all   int
	ofOne map[console.ID]int
}

// The limits of streams.
const (
	maxStreams      = 2000
	maxStreamsOfOne = 20
)

// begin counts a new stream of a person. ok is false if there are too many.
func (s *streams) begin(person console.ID) (end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.ofOne[person] >= maxStreamsOfOne {
		return nil, false
	}
	if s.ofOne == nil {
		s.ofOne = map[console.ID]int{}
	}
	s.all++
	openStreams.Add(1)
	s.ofOne[person]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		openStreams.Add(-1)
		if s.ofOne[person]--; s.ofOne[person] == 0 {
			delete(s.ofOne, person)
		}
	}, true
}

func connectorsLive(c *call) error {
	return c.keepUpToDate(func() (govern.Version, error) { return c.console().ConnectorsVersion(c.ctx(), c.caller) })
}

func connectorLive(c *call) error {
	return c.keepUpToDate(func() (govern.Version, error) { return c.console().ConnectorVersion(c.ctx(), c.caller, c.connector()) })
}

// livePoll is needed because wake-ups can be lost, and some states change with time alone.
const (
	livePoll  = 2 * time.Second
	liveRest  = 250 * time.Millisecond // shortest time between two polls, because a busy console wakes often
	liveWrite = 10 * time.Second       // a browser that takes longer is considered gone
)

// keepUpToDate sends a browser each new version of a page as server-sent events, until its session
// ends or the console stops. A client that does not accept an event stream gets the version as text.
// No transaction is open while it waits.
func (c *call) keepUpToDate(version func() (govern.Version, error)) error {
	v, err := version()
	if err != nil {
		return err
	}
	if !strings.Contains(c.r.Header.Get("Accept"), "text/event-stream") {
		c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(c.w, v)
		return nil
	}
	end, ok := c.site.streams.begin(c.caller.Person.ID)
	if !ok {
		return baton.Errorf(baton.RateLimited, "too many pages are kept up to date").WithFix("Close some, or load this one again by hand.")
	}
	defer end()
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.Header().Set("X-Accel-Buffering", "no") // tells proxies such as nginx not to buffer events
	out := http.NewResponseController(c.w)
	send := func(text string) error {
		out.SetWriteDeadline(time.Now().Add(liveWrite)) // an error means that the server supports no deadline
		if _, err := fmt.Fprint(c.w, text); err != nil {
			return err
		}
		return out.Flush()
	}
	woken, done := c.console().Watch()
	defer done()
	ticker := time.NewTicker(livePoll)
	defer ticker.Stop()
	told, quiet := govern.Version(""), 0
	for {
		text := ""
		if v != told {
			text = fmt.Sprintf("data: %s\n\n", v)
		} else if quiet++; quiet >= 8 {
			text = ":\n\n" // a comment keeps the connection alive, and fails if the browser is gone
		}
		if text != "" {
			if send(text) != nil {
				return nil
			}
			told, quiet = v, 0
		}
		select {
		case <-c.ctx().Done():
			return nil
		case <-c.site.Ending:
			return nil
		case <-woken:
			select {
			case <-c.ctx().Done():
				return nil
			case <-c.site.Ending:
				return nil
			case <-time.After(liveRest):
			}
		case <-ticker.C:
		}
		if v, err = version(); err != nil {
			if c.ctx().Err() == nil {
				send("event: end\ndata: end\n\n") // the reloaded page says why
			}
			return nil
		}
	}
}
