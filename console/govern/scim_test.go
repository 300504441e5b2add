package govern_test

import (
	"testing"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// TestSCIMRights checks who connects identity providers that push people, and who sees them.
func TestSCIMRights(t *testing.T) {
	f := newFixture(t)
	super := f.caller("super", console.SuperAdministrator)
	source, token, err := f.AddSCIMSource(ctx, super, " Okta ")
	f.check(err)
	if token.IsZero() {
		t.Error("no token")
	}
	pusher, err := f.AuthenticatePusher(ctx, token, "request", "address")
	f.check(err)
	if pusher.Source.ID != source || pusher.Source.Name != "Okta" {
		t.Errorf("%+v", pusher.Source)
	}
	group, err := f.PushGroup(ctx, pusher, console.SCIMGroup{Name: "Team"}, nil)
	f.check(err)
	v, err := f.SCIMSource(ctx, super, source)
	f.check(err)
	mayRead := map[string]bool{"auditor": true, "officer": true, "super": true}
	for name, c := range f.everybody(f.caller("owner")) {
		for what, err := range map[string]error{
			"lists": last(f.SCIMSources(ctx, c)), "reads": last(f.SCIMSource(ctx, c, source)), "reads groups": last2(f.SCIMGroups(ctx, c, source, "", 10)), "reads members": last3(f.SCIMMembers(ctx, c, source, group.ID, 0, 10)),
		} {
			if (err == nil) != mayRead[name] {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
		if name == "super" {
			continue
		}
		for what, err := range map[string]error{
			"adds": last2(f.AddSCIMSource(ctx, c, name)), "rotates": last(f.AddSCIMToken(ctx, c, source)), "revokes": f.RevokeSCIMToken(ctx, c, source, v.Tokens[0].ID),
			"maps": f.SetSCIMGroupRole(ctx, c, source, group.ID, console.Auditor), "removes": f.RemoveSCIMSource(ctx, c, source),
		} {
			if baton.KindOf(err) != baton.PermissionDenied {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
	stale := super
	stale.Session.Proved = f.now.Add(-console.StepUp)
	if _, _, err := f.AddSCIMSource(ctx, stale, "Entra"); err != govern.ErrStepUp {
		t.Errorf("an old login: %v", err)
	}

	// Nobody gives a role to themselves through a group.
	me, err := f.PushUser(ctx, pusher, console.SCIMUser{UserName: "super@example.com", Entry: console.DirectoryEntry{Name: "super", Emails: []string{"super@example.com"}, Status: console.PersonActive}, Document: []byte("{}")})
	f.check(err)
	_, err = f.ChangePushedGroup(ctx, pusher, group.ID, func(g console.SCIMGroup) (console.SCIMGroup, []govern.MemberChange, error) {
		return g, []govern.MemberChange{{Op: govern.AddMembers, IDs: []console.ID{me.ID}}}, nil
	})
	f.check(err)
	if err := f.SetSCIMGroupRole(ctx, super, source, group.ID, console.Auditor); baton.KindOf(err) != baton.Refused {
		t.Errorf("a role for oneself: %v", err)
	}
	f.check(f.SetSCIMGroupRole(ctx, f.caller("other", console.SuperAdministrator), source, group.ID, console.Auditor))

	f.check(f.RemoveSCIMSource(ctx, super, source))
	if _, err := f.PushedUser(ctx, pusher, me.ID); baton.KindOf(err) != baton.Unauthenticated {
		t.Errorf("after the identity provider was removed: %v", err)
	}
}

func last[T any](_ T, err error) error                  { return err }
func last2[T, U any](_ T, _ U, err error) error         { return err }
func last3[T, U, V any](_ T, _ U, _ V, err error) error { return err }
