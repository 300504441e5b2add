package connectortest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
)

// step is one call of a change and its expected result.
type step struct {
	name    string
	call    func() (baton.Outcome, error)
	already bool
	changes bool // the call changes the upstream's facts
}

// walk makes the calls in order and reads the facts after each.
func walk(t *testing.T, up Upstream, steps []step) {
	t.Helper()
	_, facts := mustSync(t, up, target(t))
	for _, s := range steps {
		out, err := s.call()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		discreet(t, up, s.name, fmt.Sprintf("%+v", out))
		if out.Already != s.already {
			t.Errorf("%s: already is %v, want %v", s.name, out.Already, s.already)
		}
		if len(out.Done) == 0 || strings.TrimSpace(out.Done[0]) == "" {
			t.Errorf("%s: it does not say what it did", s.name)
		}
		_, now := mustSync(t, up, target(t))
		if changed := !cmp.Equal(facts, now); changed != s.changes {
			t.Errorf("%s: facts changed is %v, want %v:\n%s", s.name, changed, s.changes, cmp.Diff(facts, now))
		}
		facts = now
	}
}

func (s Suite) grantAndRevoke(t *testing.T) {
	up := s.Start(t)
	c := up.Connect()
	if c.Grant == nil || c.Revoke == nil {
		t.Skip("the connector cannot grant and revoke")
	}
	call := func(fn func(baton.GrantRequest) (baton.Outcome, error), dry bool) func() (baton.Outcome, error) {
		return func() (baton.Outcome, error) {
			return fn(baton.GrantRequest{Entitlement: s.Grant.Entitlement, Principal: s.Grant.Principal, DryRun: dry})
		}
	}
	grant := func(r baton.GrantRequest) (baton.Outcome, error) { return c.Grant(t.Context(), r) }
	revoke := func(r baton.GrantRequest) (baton.Outcome, error) { return c.Revoke(t.Context(), r) }
	_, before := mustSync(t, up, target(t))
	walk(t, up, []step{
		{"revoke what is not held", call(revoke, false), true, false},
		{"grant, dry run", call(grant, true), false, false},
		{"grant", call(grant, false), false, true},
		{"grant again", call(grant, false), true, false},
		{"revoke, dry run", call(revoke, true), false, false},
		{"revoke", call(revoke, false), false, true},
		{"revoke again", call(revoke, false), true, false},
	})
	if _, after := mustSync(t, up, target(t)); !cmp.Equal(before, after) {
		t.Errorf("a grant and its revocation leave something behind (-before +after):\n%s", cmp.Diff(before, after))
	}
	wrong := s.Grant
	wrong.Entitlement.Slug = "no-such-slug"
	_, err := c.Grant(t.Context(), baton.GrantRequest{Entitlement: wrong.Entitlement, Principal: wrong.Principal})
	if err == nil {
		t.Error("granting an unknown entitlement succeeded")
	}
	wrong = s.Grant
	wrong.Entitlement.Resource.ID = "no-such-resource"
	if _, err = c.Grant(t.Context(), baton.GrantRequest{Entitlement: wrong.Entitlement, Principal: wrong.Principal}); baton.KindOf(err) != baton.NotFound {
		t.Errorf("granting on a resource that is not there: %v, want NotFound", err)
	}
	out, err := c.Revoke(t.Context(), baton.GrantRequest{Entitlement: wrong.Entitlement, Principal: wrong.Principal})
	if err != nil || !out.Already {
		t.Errorf("revoking on a resource that is not there: %+v, %v; want already", out, err)
	}
}

func (s Suite) createAccount(t *testing.T) {
	up := s.Start(t)
	c := up.Connect()
	if c.Account == nil {
		t.Skip("the connector cannot create accounts")
	}
	call := func(dry bool) func() (baton.Outcome, error) {
		return func() (baton.Outcome, error) {
			req := *s.NewAccount
			req.DryRun = dry
			out, err := c.Account.Create(t.Context(), req)
			if err == nil && !dry && (out.Resource == nil || out.Resource.ID.Type != c.Account.ResourceType || out.Resource.ID.ID == "") {
				t.Errorf("the outcome does not name the account: %+v", out.Resource)
			}
			return out, err
		}
	}
	walk(t, up, []step{
		{"create, dry run", call(true), false, false},
		{"create", call(false), false, true},
		{"create again", call(false), true, false},
	})
	for _, f := range c.Account.Fields {
		if !f.Required {
			continue
		}
		req := *s.NewAccount
		req.Profile = map[string]any{}
		if _, err := c.Account.Create(t.Context(), req); baton.KindOf(err) != baton.Invalid {
			t.Errorf("creating an account without %s: %v, want Invalid", f.Name, err)
		}
	}
}

func (s Suite) actions(t *testing.T) {
	up := s.Start(t)
	c := up.Connect()
	for _, a := range c.Actions {
		if s.Actions[a.Name] == nil {
			t.Errorf("the suite has no call for the action %s", a.Name)
		}
	}
	for name, arguments := range s.Actions {
		t.Run(name, func(t *testing.T) {
			up := s.Start(t)
			a, ok := up.Connect().Action(name)
			if !ok {
				t.Fatal("there is no such action")
			}
			call := func(dry bool) func() (baton.Outcome, error) {
				return func() (baton.Outcome, error) {
					out, err := a.Run(t.Context(), baton.ActionRequest{Arguments: arguments, DryRun: dry})
					for _, f := range a.Returns {
						if _, ok := out.Values[f.Name]; err == nil && f.Required && !ok {
							t.Errorf("the value %s is missing", f.Name)
						}
					}
					return out, err
				}
			}
			walk(t, up, []step{
				{name + ", dry run", call(true), false, false},
				{name, call(false), false, true},
				{name + " again", call(false), true, false},
			})
			if _, err := a.Run(t.Context(), baton.ActionRequest{}); baton.KindOf(err) != baton.Invalid {
				t.Errorf("without arguments: %v, want Invalid", err)
			}
		})
	}
}
