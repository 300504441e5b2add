package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"baton"
	"baton/console"
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

// event is an event of the audit log. Its data is as the log has it.
type event struct {
	Number        int64           `json:"number,string"`
	Kind          string          `json:"kind"`
	At            stamp           `json:"at"`
	ActorKind     string          `json:"actorKind"`
	ActorID       string          `json:"actorId"`
	ActorName     text            `json:"actorName"`
	CredentialID  string          `json:"credentialId"`
	Source        string          `json:"source"` // what the client says it is
	Address       string          `json:"address"`
	RequestID     string          `json:"requestId"`
	AppID         string          `json:"appId"`
	AppName       text            `json:"appName"`
	ConnectorID   string          `json:"connectorId"`
	ConnectorName text            `json:"connectorName"`
	UserID        string          `json:"userId"` // the person whom it is about
	UserName      text            `json:"userName"`
	Object        string          `json:"object"`
	Data          json.RawMessage `json:"data"`
}

type searchEventsRequest struct {
	page
	AppID       string    `json:"appId"`
	ConnectorID string    `json:"connectorId"`
	UserID      string    `json:"userId"` // who did it, or whom it is about
	Kind        string    `json:"kind"`   // "sync.applied" or "sync"
	Source      string    `json:"source"` // "cone:task:approve" or "cone"
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`
}

type eventsResponse struct {
	List          list[event] `json:"list"`
	NextPageToken string      `json:"nextPageToken"`
}

// searchEvents returns events, the newest first.
func searchEvents(c *call, r searchEventsRequest) (*eventsResponse, error) {
	var before int64
	if err := r.place("events", &before); err != nil {
		return nil, err
	}
	f := govern.AuditFilter{App: console.ID(r.AppID), Connector: console.ID(r.ConnectorID), Person: console.ID(r.UserID), Kind: r.Kind, Source: r.Source, From: r.From, Until: r.Until}
	found, err := c.Console.Audit(c.ctx(), c.caller, f, before, r.size())
	if err != nil {
		return nil, err
	}
	var out eventsResponse
	for _, e := range found.Rows {
		out.List = append(out.List, event{Number: e.Number, Kind: e.Kind, At: stamp(e.At), ActorKind: string(e.Actor.Kind), ActorID: e.Actor.ID, ActorName: text(e.ByName),
			CredentialID: string(e.Client), Source: e.Source, Address: e.Address, RequestID: e.Request, AppID: string(e.App), AppName: text(e.AppName), ConnectorID: string(e.Connector),
			ConnectorName: text(e.ConnectorName), UserID: string(e.Person), UserName: text(e.PersonName), Object: e.Object, Data: profile(e.Data)})
	}
	if found.Before != 0 {
		out.NextPageToken = token("events", found.Before)
	}
	return &out, nil
}
