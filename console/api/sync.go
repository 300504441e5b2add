package api

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"baton"
	"baton/console"
	"baton/console/store"
)

// syncMessage is a sync of a connector.
type syncMessage struct {
	ID          string     `json:"id"`
	ConnectorID string     `json:"connectorId"`
	Kind        string     `json:"kind"`
	State       string     `json:"state"`
	BeganAt     stamp      `json:"beganAt"`
	ReceivedAt  stamp      `json:"receivedAt"`
	AppliedAt   stamp      `json:"appliedAt"`
	Why         string     `json:"why"`
	Holds       list[hold] `json:"holds"`
	Counts      counts     `json:"counts"`
	SHA256      string     `json:"sha256"`
	Size        int64      `json:"size,string"`
}

type hold struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

type counts struct {
	Resources    int64 `json:"resources,string"`
	Accounts     int64 `json:"accounts,string"`
	Entitlements int64 `json:"entitlements,string"`
	Grants       int64 `json:"grants,string"`
	Opened       int64 `json:"opened,string"`
	Closed       int64 `json:"closed,string"`
	Dangling     int64 `json:"dangling,string"`
}

func syncOf(s console.Sync) syncMessage {
	m := syncMessage{ID: string(s.ID), ConnectorID: string(s.Connector), Kind: string(s.Kind), State: string(s.State), BeganAt: stamp(s.Began), ReceivedAt: stamp(s.Received), AppliedAt: stamp(s.Applied),
		Why: s.Why, SHA256: hex.EncodeToString(s.SHA256), Size: s.Size,
		Counts: counts{s.Counts.Resources, s.Counts.Accounts, s.Counts.Entitlements, s.Counts.Facts, s.Counts.Opened, s.Counts.Closed, s.Counts.Dangling}}
	for _, h := range s.Holds {
		m.Holds = append(m.Holds, hold{string(h.Kind), h.Detail})
	}
	return m
}

type syncsResponse struct {
	List          list[syncMessage] `json:"list"`
	NextPageToken string            `json:"nextPageToken"`
}

func listSyncs(c *call) (*syncsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	q := c.r.URL.Query()
	id := console.ID(q.Get("connector_id") + q.Get("connectorId"))
	if id == "" {
		return nil, baton.Errorf(baton.Invalid, "connector_id is missing").WithFix("Name the connector in the query: ?connector_id=ID.")
	}
	var before store.SyncBefore
	if err := p.place("syncs", &before); err != nil {
		return nil, err
	}
	all, more, err := c.Console.Syncs(c.ctx(), c.caller, id, before, p.size())
	var out syncsResponse
	for _, s := range all {
		out.List = append(out.List, syncOf(s))
	}
	if more {
		last := all[len(all)-1]
		out.NextPageToken = token("syncs", store.SyncBefore{Received: last.Received, ID: last.ID})
	}
	return &out, err
}

type syncResponse struct {
	Sync syncMessage `json:"sync"`
}

func getSync(c *call) (*syncResponse, error) {
	s, err := c.Console.Sync(c.ctx(), c.caller, c.path("sync"))
	return &syncResponse{syncOf(s)}, err
}

// downloadSync sends the file of a sync exactly as it was received.
func downloadSync(c *call) error {
	content, f, err := c.Console.SyncFile(c.ctx(), c.caller, c.path("sync"))
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="sync-%s.c1z"`, c.path("sync")))
	if _, err := io.Copy(c.w, content); err != nil {
		c.Log.WarnContext(c.ctx(), "a download ended early", "request", c.id, "sync", c.path("sync"), "error", err)
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	}
	return nil
}

type judgeSyncRequest struct {
	SyncID   string `json:"syncId"`
	Decision string `json:"decision"` // "apply" or "discard"
	Reason   string `json:"reason"`
}

func judgeSync(c *call, r judgeSyncRequest) (*empty, error) {
	if r.Decision != "apply" && r.Decision != "discard" {
		return nil, baton.Errorf(baton.Invalid, "the decision is %q", r.Decision).WithFix("Give apply or discard.")
	}
	return &empty{}, c.Console.JudgeSync(c.ctx(), c.caller, c.path("connector"), console.ID(r.SyncID), r.Decision == "apply", r.Reason)
}
