package api

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

var purposes = []string{"APP_ENTITLEMENT_PURPOSE_VALUE_UNSPECIFIED", "APP_ENTITLEMENT_PURPOSE_VALUE_ASSIGNMENT", "APP_ENTITLEMENT_PURPOSE_VALUE_PERMISSION", "APP_ENTITLEMENT_PURPOSE_VALUE_OWNERSHIP"}

func key[K ~int64](k K) string { return strconv.FormatInt(int64(k), 10) }

// resourceTypeID returns the id of a resource type: the type itself if it can be part of a path.
func resourceTypeID(typ string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-", r))
	}
	if typ != "" && !strings.ContainsFunc(typ, func(r rune) bool { return !plain(r) }) {
		return typ
	}
	return "." + base64.RawURLEncoding.EncodeToString([]byte(typ))
}

// entitlement is an entitlement of an app with the data of its message.
type entitlement struct {
	app govern.AppSummary
	row govern.Seen
}

func (e entitlement) message() appEntitlement {
	m := appEntitlement{AppID: string(e.app.App.ID), AppResourceID: key(e.row.Resource.Key), AppResourceTypeID: resourceTypeID(e.row.Resource.Type),
		Description: text(e.row.Description), DisplayName: text(e.row.Name), DurationUnset: &empty{}, GrantCount: int64(e.row.Holders), ID: key(e.row.Key),
		MatchBatonID: e.row.ID, Purpose: purposes[0], Slug: e.row.Slug,
		Alias: e.row.Alias, GrantPolicyID: string(e.row.Settings.Policy), EmergencyGrantEnabled: e.row.Settings.Emergency != "", EmergencyGrantPolicyID: string(e.row.Settings.Emergency)}
	if e.row.Key == console.AccountItself {
		m.AppResourceID, m.AppResourceTypeID, m.SystemBuiltin, m.Slug = "", "", true, "account"
	}
	if e.row.Settings.Policy != "" {
		m.RevokePolicyID = string(console.GiveBackPolicy)
	}
	if longest := e.row.Settings.Longest; longest > 0 {
		m.DurationGrant, m.DurationUnset = fmt.Sprintf("%ds", time.Duration(longest)/time.Second), nil
	}
	if p := e.row.Purpose; p > 0 && p < len(purposes) {
		m.Purpose = purposes[p]
	}
	if m.DisplayName == "" {
		m.DisplayName = text(e.row.ID)
	}
	for _, c := range e.app.Connectors {
		if c.Stream == e.row.Stream {
			m.SourceConnectorIDs = words{string(c.ID): e.row.ID}
		}
	}
	return m
}

// view returns the entitlement with the places of its expanded objects.
func (e entitlement) view(x *expander) appEntitlementView {
	id := string(e.app.App.ID)
	v := appEntitlementView{AppEntitlement: e.message()}
	v.AppPath = x.add("app_id", "c1.api.app.v1.App", id, func() any { return appOf(e.app) })
	if e.row.Key == console.AccountItself {
		return v // of the app itself
	}
	v.AppResourceTypePath = x.add("app_resource_type_id", "c1.api.app.v1.AppResourceType", id+" "+e.row.Resource.Type, func() any {
		return appResourceType{AppID: id, DisplayName: text(e.row.Resource.Type), ID: resourceTypeID(e.row.Resource.Type)}
	})
	v.AppResourcePath = x.add("app_resource_id", "c1.api.app.v1.AppResource", id+" "+key(e.row.Resource.Key), func() any { return resourceOf(e.app, e.row.Resource) })
	return v
}

func resourceOf(a govern.AppSummary, r store.Resource) appResource {
	m := appResource{AppID: string(a.App.ID), AppResourceTypeID: resourceTypeID(r.Type), CreatedAt: stamp(r.Created), Description: text(r.Description), DisplayName: text(r.Name),
		ID: key(r.Key), MatchBatonID: r.ID, NhiType: "NHI_TYPE_UNSPECIFIED", Profile: profile(r.Profile)}
	if m.DisplayName == "" {
		m.DisplayName = text(r.ID)
	}
	if r.Parent != 0 {
		m.ParentAppResourceID = key(r.Parent)
	}
	return m
}

type entitlementResponse struct {
	AppEntitlementView appEntitlementView `json:"appEntitlementView"`
	Expanded           list[packed]       `json:"expanded"`
}

// everything is the mask of calls whose request has no mask.
var everything = expandMask{Paths: []string{"*"}}

func getEntitlement(c *call) (*entitlementResponse, error) {
	k, err := c.key("entitlement", "entitlement")
	if err != nil {
		return nil, err
	}
	row, err := c.Console.SeenEntitlement(c.ctx(), c.caller, c.path("app"), console.EntitlementKey(k))
	if err != nil {
		return nil, err
	}
	s, err := c.Console.SeenApp(c.ctx(), c.caller, c.path("app"))
	if err != nil {
		return nil, err
	}
	x := expander{mask: everything}
	return &entitlementResponse{entitlement{s, row}.view(&x), x.Items}, nil
}

type entitlementsResponse struct {
	Expanded      list[packed]             `json:"expanded"`
	List          list[appEntitlementView] `json:"list"`
	NextPageToken string                   `json:"nextPageToken"`
}

func listEntitlements(c *call) (*entitlementsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	return c.entitlements(p, everything, govern.SeenQuery{App: c.path("app")})
}

type searchEntitlementsRequest struct {
	page
	ExpandMask entitlementMask `json:"expandMask"`
	AppIDs     []string        `json:"appIds"`
	Alias      string          `json:"alias"`
	Query      string          `json:"query"`
}

func searchEntitlements(c *call, r searchEntitlementsRequest) (*entitlementsResponse, error) {
	q := govern.SeenQuery{Search: r.Query}
	switch len(r.AppIDs) {
	case 0:
	case 1:
		q.App = console.ID(r.AppIDs[0])
	default:
		return nil, baton.Errorf(baton.Invalid, "appIds has more than one app").WithFix("Search one app at a time, or all.")
	}
	q.Alias = r.Alias
	return c.entitlements(r.page, r.ExpandMask.expandMask, q)
}

// seen returns a page of entitlements, and the token of the next page.
func (c *call) seen(p page, q govern.SeenQuery) ([]govern.Seen, string, error) {
	if err := p.place("entitlements", &q.After); err != nil {
		return nil, "", err
	}
	q.N = p.size()
	found, next, err := c.Console.SeenEntitlements(c.ctx(), c.caller, q)
	if err != nil || next == nil {
		return found, "", err
	}
	return found, token("entitlements", next), nil
}

func (c *call) entitlements(p page, m expandMask, q govern.SeenQuery) (*entitlementsResponse, error) {
	found, next, err := c.seen(p, q)
	if err != nil {
		return nil, err
	}
	x := expander{mask: m}
	out := entitlementsResponse{NextPageToken: next}
	for _, s := range found {
		out.List = append(out.List, entitlement{s.App, s}.view(&x))
	}
	out.Expanded = x.Items
	return &out, nil
}

type searchCatalogRequest struct {
	page
	ExpandMask       entitlementMask `json:"expandMask"`
	AppDisplayName   string          `json:"appDisplayName"`
	EntitlementAlias string          `json:"entitlementAlias"`
	GrantedStatus    string          `json:"grantedStatus"`
	IncludeDeleted   bool            `json:"includeDeleted"`
	Query            string          `json:"query"`
}

type catalogResponse struct {
	Expanded      list[packed]                         `json:"expanded"`
	List          list[appEntitlementWithUserBindings] `json:"list"`
	NextPageToken string                               `json:"nextPageToken"`
}

func searchCatalog(c *call, r searchCatalogRequest) (*catalogResponse, error) {
	out, q := catalogResponse{}, govern.SeenQuery{Name: r.AppDisplayName, Search: r.Query, Alias: r.EntitlementAlias, Requestable: true}
	want := func(s govern.Seen) bool { return true }
	switch r.GrantedStatus {
	case "", "UNSPECIFIED", "ALL":
	case "GRANTED":
		q.Held, want = true, func(s govern.Seen) bool { return len(s.Mine) > 0 } // an alias is found in any case
	case "NOT_GRANTED":
		want = func(s govern.Seen) bool { return len(s.Mine) == 0 }
	default:
		return nil, baton.Errorf(baton.Invalid, "there is no grantedStatus %q", r.GrantedStatus)
	}
	x := expander{mask: r.ExpandMask.expandMask}
	for looked := 0; ; looked++ {
		found, next, err := c.seen(r.page, q)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			if want(s) {
				out.List = append(out.List, appEntitlementWithUserBindings{AppEntitlementUserBindings: bindings(s.Mine), Entitlement: entitlement{s.App, s}.view(&x)})
			}
		}
		// A page of a filtered list may be short, but only the last one may be empty.
		if out.NextPageToken, r.PageToken = next, next; next == "" || len(out.List) > 0 || looked == maxLooked {
			out.Expanded = x.Items
			return &out, nil
		}
	}
}

// maxLooked limits the pages that are read for one page of a filtered list.
const maxLooked = 100

func bindings(grants []govern.Grant) (all list[appEntitlementUserBinding]) {
	for _, g := range grants {
		all = append(all, appEntitlementUserBinding{AppEntitlementID: key(g.Entitlement.Key), AppID: string(g.App.ID), AppUserID: key(g.Account.Key),
			CreatedAt: stamp(g.Since), DeprovisionAt: stamp(g.Until)})
	}
	return all
}

type grantsResponse struct {
	Bindings list[appEntitlementUserBinding] `json:"bindings"`
}

func listGrants(c *call) (*grantsResponse, error) {
	k, err := c.key("entitlement", "entitlement")
	if err != nil {
		return nil, err
	}
	grants, err := c.Console.Grants(c.ctx(), c.caller, c.path("app"), console.EntitlementKey(k), c.path("user"))
	return &grantsResponse{bindings(grants)}, err
}

type updateEntitlementRequest struct {
	Entitlement struct {
		Alias                  string `json:"alias"`
		AppID                  string `json:"appId"`
		Description            string `json:"description"`
		DisplayName            string `json:"displayName"`
		DurationGrant          string `json:"durationGrant"`
		DurationUnset          *empty `json:"durationUnset"`
		EmergencyGrantEnabled  bool   `json:"emergencyGrantEnabled"`
		EmergencyGrantPolicyID string `json:"emergencyGrantPolicyId"`
		GrantPolicyID          string `json:"grantPolicyId"`
	} `json:"entitlement"`
	ExpandMask entitlementMask `json:"expandMask"`
	UpdateMask mask            `json:"updateMask"`
}

// entitlementFields are the fields of an entitlement that can be changed. Names and descriptions
// belong to the application.
var entitlementFields = []string{"alias", "durationGrant", "durationUnset", "emergencyGrantEnabled", "emergencyGrantPolicyId", "grantPolicyId"}

func updateEntitlement(c *call, r updateEntitlementRequest) (*entitlementResponse, error) {
	k, err := c.key("entitlement", "entitlement")
	if err != nil {
		return nil, err
	}
	fields, err := r.UpdateMask.fields(c.body, "entitlement", entitlementFields...)
	if err != nil {
		return nil, err
	}
	now, err := c.Console.SeenEntitlement(c.ctx(), c.caller, c.path("app"), console.EntitlementKey(k))
	if err != nil {
		return nil, err
	}
	given, is := r.Entitlement, entitlement{now.App, now}.message()
	for name, differs := range map[string]bool{"displayName": given.DisplayName != "" && given.DisplayName != is.DisplayName.shown(),
		"description": given.Description != "" && given.Description != is.Description.shown(), "appId": given.AppID != "" && given.AppID != string(c.path("app"))} {
		if differs && r.UpdateMask == "" {
			return nil, baton.Errorf(baton.Invalid, "the field %s cannot be changed: it is as the application has it", name).WithFix("Leave it out.")
		}
	}
	var s govern.EntitlementSettings
	for _, f := range fields {
		switch f {
		case "alias":
			s.Alias = &given.Alias
		case "durationGrant":
			d, err := grantDuration(given.DurationGrant)
			if err != nil {
				return nil, err
			}
			s.Longest = &d
		case "durationUnset":
			if s.Longest == nil {
				s.Longest = new(console.Duration)
			}
		case "grantPolicyId":
			s.Policy = idOf(given.GrantPolicyID)
		case "emergencyGrantPolicyId", "emergencyGrantEnabled":
			s.Emergency = new(console.ID)
			if policy := given.EmergencyGrantPolicyID; slices.Contains(fields, "emergencyGrantEnabled") && given.EmergencyGrantEnabled || !slices.Contains(fields, "emergencyGrantEnabled") {
				if s.Emergency = idOf(policy); policy == "" {
					s.Emergency = idOf(string(console.EmergencyPolicy))
				}
			}
		}
	}
	if err := c.Console.ConfigureEntitlement(c.ctx(), c.caller, c.path("app"), console.EntitlementKey(k), s); err != nil {
		return nil, err
	}
	return getEntitlement(c)
}

func idOf(text string) *console.ID {
	id := console.ID(text)
	return &id
}

func listEntitlementOwnerIDs(c *call) (*userIDs, error) {
	k, err := c.key("entitlement", "entitlement")
	if err != nil {
		return nil, err
	}
	owners, err := c.Console.EntitlementOwners(c.ctx(), c.caller, c.path("app"), console.EntitlementKey(k))
	var out userIDs
	for _, o := range owners {
		out.UserIDs = append(out.UserIDs, string(o))
	}
	return &out, err
}

func setEntitlementOwners(c *call, r userIDs) (*empty, error) {
	return c.entitlementOwners(ids(r.UserIDs))
}

func removeEntitlementOwners(c *call) (*empty, error) { return c.entitlementOwners([]console.ID{}) }

func (c *call) entitlementOwners(owners []console.ID) (*empty, error) {
	k, err := c.key("entitlement", "entitlement")
	if err != nil {
		return nil, err
	}
	return &empty{}, c.Console.ConfigureEntitlement(c.ctx(), c.caller, c.path("app"), console.EntitlementKey(k), govern.EntitlementSettings{Owners: &owners})
}

// notMade refuses calls that create objects which only applications have.
func notMade(what string) func(*call) (*empty, error) {
	return func(*call) (*empty, error) {
		return nil, baton.Errorf(baton.Unsupported, "the console creates no %s: it knows those that its connectors find in the applications", what)
	}
}
