package api

import (
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// change is a difference between two moments, with what explains it.
type change struct {
	AppID            string `json:"appId"`
	ConnectorID      string `json:"connectorId"`
	SyncID           string `json:"syncId"` // the last sync that made it
	At               stamp  `json:"at"`     // when that sync began
	Kind             string `json:"kind"`   // "account", "resource", "entitlement" or "grant"
	Verb             string `json:"verb"`   // "gained", "lost" or "changed"
	AppUserID        string `json:"appUserId"`
	AppUserName      text   `json:"appUserName"`
	AppEntitlementID string `json:"appEntitlementId"`
	EntitlementName  text   `json:"entitlementName"`
	UserID           string `json:"userId"`
	Role             text   `json:"role"`        // of the account at the later end
	Explanation      string `json:"explanation"` // "operation", "reason", "explained", "unexplained" …
	By               text   `json:"by"`          // who is behind the operation or the reason, or who explained it
	Why              text   `json:"why"`         // the words of a person who explained it
	OperationID      string `json:"operationId"`
	ReasonID         string `json:"reasonId"`
	CameBack         bool   `json:"cameBack"` // gained again after the console removed it
}

func changeOf(l govern.ChangeLine) change {
	m := change{AppID: string(l.App.ID), ConnectorID: string(l.Connector.ID), SyncID: string(l.Sync.ID), At: stamp(l.Sync.Began), Kind: "grant", AppUserID: accountID(l.Principal),
		AppUserName: text(l.Account.Name), EntitlementName: text(l.Entitlement.Name), UserID: string(l.Owner.ID), Explanation: string(l.Explanation.Kind), By: text(l.By.Name),
		OperationID: string(l.Explanation.Operation), ReasonID: string(l.Explanation.Reason), CameBack: l.CameBack}
	if l.ChangeKey.Entitlement != 0 {
		m.AppEntitlementID = key(l.ChangeKey.Entitlement)
	}
	verb := store.Replace
	switch {
	case l.Fact != nil:
		verb = l.Fact.Change
	case l.Resource != nil:
		m.Kind, verb = "account", l.Resource.Change
		if l.Group {
			m.Kind = "resource"
		}
	case l.Changed.Entitlement != nil:
		m.Kind, verb = "entitlement", l.Changed.Entitlement.Change
	}
	switch verb {
	case store.Open:
		m.Verb = "gained"
	case store.Close:
		m.Verb = "lost"
	default:
		m.Verb = "changed"
	}
	if l.Role.Risk != nil {
		m.Role = text(l.Role.Risk.Name)
	}
	if l.Person != nil {
		m.By, m.Why = text(l.ExplainedBy.Name), text(l.Person.Why)
	}
	return m
}

type changesResponse struct {
	List          list[change] `json:"list"`
	NextPageToken string       `json:"nextPageToken"`
}

// listChanges lists the changes between two moments, or two syncs by number, the newest first.
func listChanges(c *call) (*changesResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	q := c.r.URL.Query()
	query := govern.ChangesQuery{App: console.ID(q.Get("app_id") + q.Get("appId")), Show: govern.ChangesShow(q.Get("show")), Filter: govern.AccountFilter(q.Get("filter")), N: p.size()}
	for name, end := range map[string]*govern.ChangesEnd{"from": &query.From, "to": &query.To} {
		s := q.Get(name)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
			end.Sync = console.SyncNumber(n)
		} else if s != "" {
			if end.At, err = console.ParseMoment(s, c.Console.Now()); err != nil {
				return nil, err
			}
		}
	}
	if query.From == (govern.ChangesEnd{}) {
		return nil, baton.Errorf(baton.Invalid, "from is missing").WithFix("Name the earlier moment in the query: ?from=2026-03-01T00:00:00Z.")
	}
	if err := p.place("changes", &query.After); err != nil {
		return nil, err
	}
	found, err := c.Console.Changes(c.ctx(), c.caller, query)
	if err != nil {
		return nil, err
	}
	var out changesResponse
	for _, l := range found.Lines {
		out.List = append(out.List, changeOf(l))
	}
	if found.Next != nil {
		out.NextPageToken = token("changes", *found.Next)
	}
	return &out, nil
}
