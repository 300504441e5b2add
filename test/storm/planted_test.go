package storm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"baton"
	"baton/connector/perplexity"
	"baton/connector/rest"
	"baton/connector/scim"
)

// TestPlantedBugs: the storm fails for connectors with a planted bug. Each runs until the bug shows.
func TestPlantedBugs(t *testing.T) {
	for name, bug := range map[string]struct {
		run  func(t *testing.T, seed uint64) []string
		want string
	}{
		"drops a row on a later page":              {syncWith(dropsRow, nil), "are missing"},
		"takes an error for the end":               {syncWith(endsEarly, []string{"page-cap=6", "token-revoked-after=4"}), "are missing"},
		"seals on a short total":                   {syncWith(believesShort, []string{"page-cap=6", "short-page"}), "are missing"},
		"takes an absent list for an empty":        {syncWith(absentIsEmpty, []string{"page-cap=6", "members-absent", "no-groups-attribute"}), "are missing"},
		"invents a row":                            {syncWith(invents, nil), "are extra"},
		"repeats the token in its error":           {syncWith(chatty, []string{"forbidden"}), "shows the token"},
		"fails without a reason to give":           {syncWith(mute, []string{"forbidden"}), "does not say what to do"},
		"trusts a 200":                             {changeWith(trusts, []string{"drop-member-on-add", "patch-ignored"}), "says that it is done, and it is not"},
		"replaces the whole membership":            {changeWith(replacesAll, nil), "others were touched"},
		"skips the guard":                          {changeWith(unguarded, nil), "nobody is Admin any more"},
		"takes a 404 for proof":                    {changeWith(believes404, []string{"foreign-404=1"}), "it is not"},
		"adds anybody":                             {changeWith(addsAnybody, []string{"any-member"}), "it is not"},
		"holds every member":                       {syncWith(hoards, []string{"page-cap=6", "crowded-group=6"}), "it held"},
		"takes unreadable members for none":        {syncWith(believesShort, []string{"page-cap=6", "members-nameless", "no-groups-attribute"}), "are missing"},
		"takes a device for a user":                {syncWith(takesDevices, []string{"page-cap=6", "device-members"}), "are extra"},
		"counts whoever has the id of an admin":    {changeWith(countsDoubts, []string{"odd-kind-members"}), "nobody is Admin any more"},
		"edits ids":                                {changeWith(editsIDs, []string{"similar-ids"}), "others were touched"},
		"takes bytes for text":                     {syncWith(garbles, []string{"page-cap=6", "latin-1"}), "garbled"},
		"forgets the query":                        {syncWith(forgetsQuery, []string{"page-cap=6", "tenant-in-query"}), "are extra"},
		"takes whom a search shows":                {changeWith(takesTheFirst, []string{"look-alike"}), "somebody else"},
		"takes whom a creation answers with":       {changeWith(takesTheAnswer, []string{"create-other=1"}), "somebody else"},
		"writes on a dry run":                      {changeWith(wetRun, nil), "a dry run wrote"},
		"keeps silent about what it may have done": {changeWith(silent, []string{"error-after-work=1", "members-absent-everywhere"}), "does not say that it may have"},
		"skips the guard in a race":                {func(t *testing.T, seed uint64) []string { return RaceRun{Seed: seed, Wrap: unguarded}.Run(t) }, "nobody is Admin any more"},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range uint64(60) {
				red := false
				synctest.Test(t, func(t *testing.T) {
					red = slices.ContainsFunc(bug.run(t, n), func(s string) bool { return strings.Contains(s, bug.want) })
				})
				if red {
					return
				}
			}
			t.Errorf("no storm says that %q", bug.want)
		})
	}
}

func syncWith(bug Wrapper, alone []string) func(*testing.T, uint64) []string {
	if alone == nil {
		alone = []string{"page-cap=6"}
	}
	return func(t *testing.T, seed uint64) []string {
		return SyncRun{Seed: seed, Upstream: "perplexity", Alone: alone, Wrap: bug}.Run(t, nil)
	}
}

func changeWith(bug Wrapper, alone []string) func(*testing.T, uint64) []string {
	if alone == nil {
		alone = []string{"page-cap=6"}
	}
	return func(t *testing.T, seed uint64) []string {
		return ChangeRun{Seed: seed, Alone: alone, Wrap: bug}.Run(t, nil)
	}
}

// feeds wraps each feed of the connector.
func feeds(c *baton.Connector, wrap func(name string, next func(context.Context, baton.Cursor, baton.Page) (baton.Step, error), at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error)) *baton.Connector {
	bad := *c
	bad.Feeds = slices.Clone(c.Feeds)
	for i, f := range c.Feeds {
		bad.Feeds[i].Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
			return wrap(f.Name, f.Next, at, p, ctx)
		}
	}
	return &bad
}

type next = func(context.Context, baton.Cursor, baton.Page) (baton.Step, error)

// losesFirst is a page that drops its first resource.
type losesFirst struct {
	baton.Page
	lost *bool
}

func (l losesFirst) Resource(r baton.Resource) {
	if !*l.lost {
		*l.lost = true
		return
	}
	l.Page.Resource(r)
}

func dropsRow(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	lost := true
	return feeds(c, func(name string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		if name == "users" && at != "" {
			if lost {
				lost = false
				p = losesFirst{p, &lost}
			}
		}
		return next(ctx, at, p)
	})
}

func endsEarly(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	return feeds(c, func(_ string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		step, err := next(ctx, at, p)
		if err != nil && at != "" {
			return baton.Step{Cursor: at, Done: true}, nil
		}
		return step, err
	})
}

func believesShort(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	return feeds(c, func(_ string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		step, err := next(ctx, at, p)
		if baton.KindOf(err) == baton.Incomplete {
			return baton.Step{Cursor: at, Done: true}, nil
		}
		return step, err
	})
}

// oneGroupOnly is a page that keeps the members of one group only.
type oneGroupOnly struct {
	baton.Page
	group *string
}

func (d oneGroupOnly) Grant(g baton.Grant) {
	if *d.group == "" {
		*d.group = g.ID.Entitlement.Resource.ID
	}
	if *d.group == g.ID.Entitlement.Resource.ID {
		d.Page.Grant(g)
	}
}

func absentIsEmpty(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	group := ""
	return feeds(c, func(name string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		if strings.Contains(string(at), "pending") {
			p = oneGroupOnly{p, &group}
		}
		return next(ctx, at, p)
	})
}

func invents(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	return feeds(c, func(name string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		if name == "users" && at == "" {
			p.Resource(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "ghost"}, DisplayName: "Ghost", User: &baton.User{}})
		}
		return next(ctx, at, p)
	})
}

func chatty(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	return feeds(c, func(_ string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		step, err := next(ctx, at, p)
		if err != nil {
			err = baton.Errorf(baton.KindOf(err), "with %s: %w", token, err).WithFix("Hide it.")
		}
		return step, err
	})
}

func mute(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	return feeds(c, func(_ string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		step, err := next(ctx, at, p)
		if err != nil {
			err = baton.Errorf(baton.KindOf(err), "no")
		}
		return step, err
	})
}

func trusts(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Grant = func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		out, err := c.Grant(ctx, req)
		if baton.KindOf(err) == baton.Incomplete {
			return baton.Outcome{Done: []string{"Added."}}, nil
		}
		return out, err
	}
	return &bad
}

// keepsGrants is a page that holds all grants in memory.
type keepsGrants struct {
	baton.Page
	kept *[]baton.Grant
}

func (h keepsGrants) Grant(g baton.Grant) {
	g.ID.Principal.ID = strings.Clone(g.ID.Principal.ID)
	*h.kept = append(*h.kept, g)
	h.Page.Grant(g)
}

func hoards(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	return feeds(c, func(_ string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		var kept []baton.Grant
		step, err := next(ctx, at, keepsGrants{p, &kept})
		runtime.KeepAlive(kept)
		return step, err
	})
}

// acceptsExcluded is a page that turns excluded members into grants.
type acceptsExcluded struct{ baton.Page }

func (c acceptsExcluded) Exclude(reason, example string) {
	user, group, ok := strings.Cut(example, " in ")
	group, _, _ = strings.Cut(group, " ")
	if !ok || !strings.Contains(reason, "neither") {
		c.Page.Exclude(reason, example)
		return
	}
	c.Page.Grant(baton.Grant{ID: baton.GrantID{Principal: baton.ResourceID{Type: "user", ID: user},
		Entitlement: baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"}}})
}

func takesDevices(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	return feeds(c, func(_ string, next next, at baton.Cursor, p baton.Page, ctx context.Context) (baton.Step, error) {
		return next(ctx, at, acceptsExcluded{p})
	})
}

// countsDoubts revokes even if the guard refuses.
func countsDoubts(c *baton.Connector, over http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Revoke = func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		out, err := c.Revoke(ctx, req)
		if baton.KindOf(err) == baton.Refused && !req.DryRun {
			return unguarded(c, over).Revoke(ctx, req)
		}
		return out, err
	}
	return &bad
}

func editsIDs(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Actions = slices.Clone(c.Actions)
	for i, a := range c.Actions {
		bad.Actions[i].Run = func(ctx context.Context, req baton.ActionRequest) (baton.Outcome, error) {
			id, _ := req.Arguments["user_id"].(string)
			req.Arguments = map[string]any{"user_id": strings.TrimSpace(strings.TrimPrefix(id, "user:"))}
			return a.Run(ctx, req)
		}
	}
	return &bad
}

// changed is a transport that changes requests or answers.
type changed struct {
	http.RoundTripper
	request func(*http.Request)
	answer  func(*http.Response)
}

func (c changed) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.request != nil {
		r = r.Clone(r.Context())
		c.request(r)
	}
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil && c.answer != nil {
		c.answer(resp)
	}
	return resp, err
}

// connectOver returns the connector of a sandbox over another transport.
func connectOver(over http.RoundTripper) *baton.Connector {
	c, err := rest.New(rest.Config{BaseURL: "http://" + host + "/scim/v2.0/sandbox" + tenantQuery, Token: baton.NewSecret(token), Transport: over})
	if err != nil {
		panic(err) // the configuration is constant
	}
	return perplexity.New(perplexity.Config{REST: c, MinAdmins: 1})
}

func garbles(_ *baton.Connector, over http.RoundTripper) *baton.Connector {
	return connectOver(changed{over, nil, func(r *http.Response) {
		text, _ := io.ReadAll(r.Body)
		r.Header.Set("Content-Type", "application/scim+json")
		r.Body = io.NopCloser(bytes.NewReader(bytes.ToValidUTF8(text, []byte("\uFFFD"))))
		r.ContentLength = -1
		r.Header.Del("Content-Length")
	}})
}

func forgetsQuery(_ *baton.Connector, over http.RoundTripper) *baton.Connector {
	return connectOver(changed{over, func(r *http.Request) {
		q := r.URL.Query()
		q.Del("tenant")
		r.URL.RawQuery = q.Encode()
	}, nil})
}

// direct sends a write without the connector.
func direct(over http.RoundTripper, path, operation string) error {
	body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operation + `]}`
	req, err := http.NewRequest(http.MethodPatch, "http://"+host+"/scim/v2.0/sandbox"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := over.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func replacesAll(c *baton.Connector, over http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Grant = func(_ context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		op := fmt.Sprintf(`{"op":"replace","path":"members","value":[{"value":%q}]}`, req.Principal.ID)
		return baton.Outcome{Done: []string{"Added."}}, direct(over, "/Groups/"+req.Entitlement.Resource.ID, op)
	}
	return &bad
}

func unguarded(c *baton.Connector, over http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Revoke = func(_ context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		op := fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, req.Principal.ID)
		return baton.Outcome{Done: []string{"Removed."}}, direct(over, "/Groups/"+req.Entitlement.Resource.ID, op)
	}
	return &bad
}

func wetRun(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Grant = func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		req.DryRun = false
		return c.Grant(ctx, req)
	}
	return &bad
}

func silent(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Grant = func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		_, _ = c.Grant(ctx, req)
		return baton.Outcome{}, baton.Errorf(baton.Unavailable, "it did not work").WithFix("Try again.")
	}
	return &bad
}

func believes404(c *baton.Connector, _ http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Revoke = func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		out, err := c.Revoke(ctx, req)
		if errors.Is(err, scim.ErrNotShown) || err != nil && strings.Contains(err.Error(), "404") {
			return baton.Outcome{Already: true, Done: []string{"It is gone."}}, nil
		}
		return out, err
	}
	return &bad
}

func addsAnybody(c *baton.Connector, over http.RoundTripper) *baton.Connector {
	bad := *c
	bad.Grant = func(_ context.Context, req baton.GrantRequest) (baton.Outcome, error) {
		op := fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]}`, req.Principal.ID)
		return baton.Outcome{Done: []string{"Added."}}, direct(over, "/Groups/"+req.Entitlement.Resource.ID, op)
	}
	return &bad
}

// creates wraps the creation of accounts.
func creates(c *baton.Connector, create func(context.Context, baton.AccountRequest) (baton.Outcome, error)) *baton.Connector {
	bad := *c
	account := *c.Account
	account.Create = create
	bad.Account = &account
	return &bad
}

// answered sends a request without the connector and returns the id of the first user in the
// answer.
func answered(over http.RoundTripper, method, path, body string) string {
	req, err := http.NewRequest(method, "http://"+host+"/scim/v2.0/sandbox"+path, strings.NewReader(body))
	if err != nil {
		return ""
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := over.RoundTrip(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	_, text, _ = bytes.Cut(text, []byte(`"id":"`))
	id, _, _ := bytes.Cut(text, []byte(`"`))
	return string(id)
}

func named(id string) baton.Outcome {
	return baton.Outcome{Done: []string{"It is there."}, Resource: &baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}}}
}

func takesTheFirst(c *baton.Connector, over http.RoundTripper) *baton.Connector {
	return creates(c, func(ctx context.Context, req baton.AccountRequest) (baton.Outcome, error) {
		if id := answered(over, http.MethodGet, "/Users?filter="+url.QueryEscape("userName eq \""+req.Email+"\""), ""); id != "" && !req.DryRun {
			return named(id), nil
		}
		return c.Account.Create(ctx, req)
	})
}

func takesTheAnswer(c *baton.Connector, over http.RoundTripper) *baton.Connector {
	return creates(c, func(ctx context.Context, req baton.AccountRequest) (baton.Outcome, error) {
		if req.DryRun {
			return c.Account.Create(ctx, req)
		}
		return named(answered(over, http.MethodPost, "/Users", `{"userName":"`+req.Email+`"}`)), nil
	})
}
