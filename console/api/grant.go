package api

import (
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// then returns the console at the moment that the query names as at; without one, the present.
func (c *call) then() (*govern.Console, error) {
	text := c.r.URL.Query().Get("at")
	if text == "" {
		return c.Console, nil
	}
	at, err := console.ParseMoment(text, c.Console.Now())
	return c.Console.AsOf(at), err
}

// number returns the number in a parameter of the query, by either spelling; 0 if there is none.
func (c *call) number(names ...string) (int64, error) {
	for _, name := range names {
		if s := c.r.URL.Query().Get(name); s != "" {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n <= 0 {
				return 0, baton.Errorf(baton.Invalid, "%s: %q is no id", name, s)
			}
			return n, nil
		}
	}
	return 0, nil
}

// grant is an entitlement that an account holds, in the console's own form.
type grant struct {
	AppID            string `json:"appId"`
	AppUserID        string `json:"appUserId"`
	AppUserName      text   `json:"appUserName"`
	AppEntitlementID string `json:"appEntitlementId"`
	EntitlementName  text   `json:"entitlementName"`
	UserID           string `json:"userId"` // whose account it is
	UserName         text   `json:"userName"`
	State            string `json:"state"` // "explained", "unexplained", "baseline", "came-back" …
	Since            stamp  `json:"since"`
	SinceBaseline    bool   `json:"sinceBaseline"` // it may have begun before since
	Until            stamp  `json:"until"`
	Role             text   `json:"role"`
	Group            bool   `json:"group"` // the holder is a group, whose members hold it
	Direct           bool   `json:"direct"`
}

func grantOf(app console.ID, h govern.Holding) grant {
	g := grant{AppID: string(app), AppUserID: key(h.Account.Key), AppUserName: text(h.Account.Name), AppEntitlementID: key(h.Entitlement.Key), EntitlementName: text(h.Entitlement.Name),
		UserID: string(h.Owner.ID), UserName: text(h.Owner.Name), State: string(h.State), Since: stamp(h.Since), SinceBaseline: h.Baseline, Until: stamp(h.Until), Group: h.Group,
		Direct: h.Access.Direct}
	if h.Role != nil {
		g.Role = text(h.Role.Name)
	}
	return g
}

type grantListResponse struct {
	List          list[grant] `json:"list"`
	NextPageToken string      `json:"nextPageToken"`
}

// listOwnGrants lists what an account holds, or who holds an entitlement.
func listOwnGrants(c *call) (*grantListResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	app, err := c.appQuery()
	if err != nil {
		return nil, err
	}
	then, err := c.then()
	if err != nil {
		return nil, err
	}
	account, err := c.number("account_id", "accountId", "app_user_id", "appUserId")
	if err != nil {
		return nil, err
	}
	entitlement, err := c.number("entitlement_id", "entitlementId", "app_entitlement_id", "appEntitlementId")
	if err != nil {
		return nil, err
	}
	var out grantListResponse
	switch {
	case (account == 0) == (entitlement == 0):
		return nil, baton.Errorf(baton.Invalid, "name an account or an entitlement").WithFix("Add account_id=ID or entitlement_id=ID to the query.")
	case account != 0:
		var after console.EntitlementKey
		if err := p.place("account-grants", &after); err != nil {
			return nil, err
		}
		v, err := then.Account(c.ctx(), c.caller, app, console.ResourceKey(account), after, p.size())
		if err != nil {
			return nil, err
		}
		for _, h := range v.Holds {
			out.List = append(out.List, grantOf(app, h))
		}
		if v.Next != 0 {
			out.NextPageToken = token("account-grants", v.Next)
		}
	default:
		var after store.HolderAfter
		if err := p.place("entitlement-grants", &after); err != nil {
			return nil, err
		}
		v, err := then.Entitlement(c.ctx(), c.caller, app, console.EntitlementKey(entitlement), after, p.size())
		if err != nil {
			return nil, err
		}
		for _, h := range v.Holding {
			out.List = append(out.List, grantOf(app, h))
		}
		if v.Next != nil {
			out.NextPageToken = token("entitlement-grants", *v.Next)
		}
	}
	return &out, nil
}

// explanation says why an account holds an entitlement, or why not, and what proves it.
type explanation struct {
	AppID            string                 `json:"appId"`
	AppUserID        string                 `json:"appUserId"`
	AppEntitlementID string                 `json:"appEntitlementId"`
	State            string                 `json:"state"`
	Held             bool                   `json:"held"`
	Until            stamp                  `json:"until"`
	Intervals        list[interval]         `json:"intervals"` // the newest first
	Reasons          list[reason]           `json:"reasons"`
	Bars             list[bar]              `json:"bars"`
	Operations       list[operationOutline] `json:"operations"`
}

// interval is a time in which the account held it, and the syncs that prove it.
type interval struct {
	Since       stamp  `json:"since"`
	Baseline    bool   `json:"baseline"` // it may have begun before since
	FirstSyncID string `json:"firstSyncId"`
	LastSyncID  string `json:"lastSyncId"`
	EndedSyncID string `json:"endedSyncId"` // "" while it is held
	Direct      bool   `json:"direct"`
}

type reason struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Ref       string `json:"ref"` // for example the id of the request
	CreatedAt stamp  `json:"createdAt"`
	CreatedBy text   `json:"createdBy"`
	Until     stamp  `json:"until"`
	EndedAt   stamp  `json:"endedAt"`
	EndedWhy  text   `json:"endedWhy"`
}

type bar struct {
	ID        string `json:"id"`
	CreatedAt stamp  `json:"createdAt"`
	CreatedBy text   `json:"createdBy"`
	Why       text   `json:"why"`
	LiftedAt  stamp  `json:"liftedAt"`
}

type operationOutline struct {
	ID         string `json:"id"`
	Verb       string `json:"verb"`
	State      string `json:"state"`
	Cause      string `json:"cause"`
	CreatedAt  stamp  `json:"createdAt"`
	FinishedAt stamp  `json:"finishedAt"`
	Answer     text   `json:"answer"`
}

type explanationResponse struct {
	Explanation explanation `json:"explanation"`
}

func explainAccess(c *call) (*explanationResponse, error) {
	app, err := c.appQuery()
	if err != nil {
		return nil, err
	}
	account, err := c.key("account", "account")
	if err != nil {
		return nil, err
	}
	e, err := c.key("entitlement", "entitlement")
	if err != nil {
		return nil, err
	}
	v, err := c.Console.Access(c.ctx(), c.caller, app, console.ResourceKey(account), console.EntitlementKey(e), govern.TimelineAt{}, 1)
	if err != nil {
		return nil, err
	}
	m := explanation{AppID: string(app), AppUserID: key(v.Account.Key), AppEntitlementID: key(v.Entitlement.Key), State: string(v.State), Held: v.Access.Held, Until: stamp(v.Until)}
	name := func(a console.Actor) text { return text(v.People[a.Person()]) }
	for _, i := range v.Intervals {
		one := interval{Since: stamp(i.First.Began), Baseline: i.Baseline, FirstSyncID: string(i.First.ID), LastSyncID: string(i.Last.ID), Direct: i.Direct}
		if i.Ended != nil {
			one.EndedSyncID = string(i.Ended.ID)
		}
		m.Intervals = append(m.Intervals, one)
	}
	for _, r := range v.Access.Reasons {
		m.Reasons = append(m.Reasons, reason{string(r.ID), string(r.Kind), r.Ref, stamp(r.Created), name(r.CreatedBy), stamp(r.Until), stamp(r.Ended), text(r.EndedWhy)})
	}
	for _, b := range v.Bars {
		m.Bars = append(m.Bars, bar{string(b.ID), stamp(b.Created), name(b.CreatedBy), text(b.Why), stamp(b.Lifted)})
	}
	for _, o := range v.Operations {
		m.Operations = append(m.Operations, operationOutline{string(o.ID), string(o.Verb), string(o.State), string(o.Cause.Kind), stamp(o.Created), stamp(o.Finished), text(o.Answer)})
	}
	return &explanationResponse{m}, nil
}
