package api

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// findingMessage is something that needs somebody.
type findingMessage struct {
	ID            string `json:"id"`
	AppID         string `json:"appId"`
	Kind          string `json:"kind"`
	State         string `json:"state"` // "open", "accepted", "snoozed", "resolved"
	Label         string `json:"label"`
	Sentence      string `json:"sentence"`
	Path          string `json:"path"` // of the page on which somebody acts
	ConnectorID   string `json:"connectorId"`
	AccountID     string `json:"accountId"`
	EntitlementID string `json:"entitlementId"`
	AppearedAt    stamp  `json:"appearedAt"`
	ResolvedAt    stamp  `json:"resolvedAt"`
	Until         stamp  `json:"until"` // the end of the acceptance or the snooze
	Reason        string `json:"reason"`
	AcceptedBy    string `json:"acceptedBy"` // id of the person
	Version       int64  `json:"version,string"`
}

func findingOf(r govern.FindingRow) findingMessage {
	m := findingMessage{ID: string(r.ID), AppID: string(r.App.ID), Kind: string(r.Kind), State: string(r.State), Label: r.Rule.Label, Sentence: r.Sentence(), Path: r.Path(), ConnectorID: string(r.Connector.ID),
		AppearedAt: stamp(r.Appeared), ResolvedAt: stamp(r.Resolved), Until: stamp(r.Until), Reason: r.Why, AcceptedBy: string(r.By.Person()), Version: r.Version}
	if r.Finding.Account != 0 {
		m.AccountID = key(r.Finding.Account)
	}
	if r.Finding.Entitlement != console.AccountItself {
		m.EntitlementID = key(r.Finding.Entitlement)
	}
	return m
}

type findingsResponse struct {
	List          list[findingMessage] `json:"list"`
	Counts        list[findingCount]   `json:"counts"` // of open ones
	NextPageToken string               `json:"nextPageToken"`
}

type findingCount struct {
	AppID string `json:"appId"`
	Kind  string `json:"kind"`
	Count int64  `json:"count,string"`
}

func listFindings(c *call) (*findingsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	v := c.r.URL.Query()
	q := govern.FindingsQuery{App: console.ID(v.Get("app_id") + v.Get("appId")), Kind: console.FindingKind(v.Get("kind")), State: console.FindingState(v.Get("state")), N: p.size()}
	if err := p.place("findings", &q.After); err != nil {
		return nil, err
	}
	page, err := c.Console.Findings(c.ctx(), c.caller, q)
	out := &findingsResponse{}
	for _, r := range page.Rows {
		out.List = append(out.List, findingOf(r))
	}
	for _, g := range page.Groups {
		out.Counts = append(out.Counts, findingCount{string(g.App.ID), string(g.Rule.Kind), int64(g.Count)})
	}
	if page.Next != nil {
		out.NextPageToken = token("findings", *page.Next)
	}
	return out, err
}

type findingResponse struct {
	Finding findingMessage `json:"finding"`
}

func getFinding(c *call) (*findingResponse, error) {
	r, err := c.Console.Finding(c.ctx(), c.caller, c.path("finding"))
	if err != nil {
		return nil, err
	}
	return &findingResponse{findingOf(r)}, nil
}

type acceptFindingRequest struct {
	Until   string `json:"until"`
	Reason  string `json:"reason"`
	Version int64  `json:"version,string"` // 0 for any
}

type snoozeFindingRequest struct {
	Until   string `json:"until"`
	Version int64  `json:"version,string"` // 0 for any
}

func untilOf(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, baton.Errorf(baton.Invalid, "until is %q", text).WithFix("Give a time like 2026-03-03T00:00:00Z.")
	}
	return at, nil
}

func acceptFinding(c *call, r acceptFindingRequest) (*findingResponse, error) {
	until, err := untilOf(r.Until)
	if err == nil {
		err = c.Console.AcceptFinding(c.ctx(), c.caller, c.path("finding"), r.Version, until, r.Reason)
	}
	if err != nil {
		return nil, err
	}
	return getFinding(c)
}

func snoozeFinding(c *call, r snoozeFindingRequest) (*findingResponse, error) {
	until, err := untilOf(r.Until)
	if err == nil {
		err = c.Console.SnoozeFinding(c.ctx(), c.caller, c.path("finding"), r.Version, until)
	}
	if err != nil {
		return nil, err
	}
	return getFinding(c)
}

func reopenFinding(c *call) (*findingResponse, error) {
	if err := c.Console.ReopenFinding(c.ctx(), c.caller, c.path("finding")); err != nil {
		return nil, err
	}
	return getFinding(c)
}
