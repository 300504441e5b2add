package field

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// form is one way to write the members of a group.
type form struct {
	write func(ids []string) string // the attributes as JSON
	// read reports whether the form identifies the members with certainty. Otherwise the sync must not be
	// sealed.
	read bool
}

func array(write func(id string) string) func([]string) string {
	return func(ids []string) string { return `"members":[` + each(ids, write) + `]` }
}

func userNameOf(id string) string {
	return map[string]string{"u1": "ann@acme.example", "u2": "bob@acme.example", "u3": "cid@acme.example"}[id]
}

// forms returns the forms of real servers, and variants of them.
func forms() map[string]form {
	indexed := func(entry func(string) string) func([]string) string {
		return func(ids []string) string {
			var parts []string
			for i, id := range ids {
				parts = append(parts, fmt.Sprintf(`"%d":%s`, 2*i, entry(id)))
			}
			return `"members":{` + strings.Join(parts, ",") + `}`
		}
	}
	value := func(id string) string { return `{"value":"` + id + `"}` }
	all := map[string]form{
		// PHP writes an array with gaps as an object.
		"object with numeric keys":                 {indexed(value), true},
		"object with numeric keys, ids":            {indexed(quote), true},
		"id in place of value":                     {array(func(id string) string { return `{"id":"` + id + `"}` }), true},
		"id and display":                           {array(func(id string) string { return `{"id":"` + id + `","display":"x"}` }), true},
		"id of the membership, not of the account": {array(func(id string) string { return `{"id":"` + strings.Replace(id, "u", "m", 1) + `","display":"x"}` }), false},
		"ref in place of $ref":                     {array(func(id string) string { return `{"ref":"https://idp.example/scim/v2/Users/` + id + `"}` }), true},
		"$ref only":                                {array(func(id string) string { return `{"$ref":"https://idp.example/scim/v2/Users/` + id + `"}` }), true},
		"$ref only, relative":                      {array(func(id string) string { return `{"$ref":"../Users/` + id + `"}` }), true},
		"$ref only, no slash":                      {array(func(id string) string { return `{"$ref":"Users/` + id + `"}` }), true},
		"$ref only, slash at the end":              {array(func(id string) string { return `{"$ref":"/scim/v2/Users/` + id + `/"}` }), true},
		"$ref only, query":                         {array(func(id string) string { return `{"$ref":"/scim/v2/Users/` + id + `?attributes=id#x"}` }), true},
		"$ref only, escaped":                       {array(func(id string) string { return `{"$ref":"/scim/v2/users/%75` + id[1:] + `"}` }), true},
		"$ref of the collection only":              {array(func(string) string { return `{"$ref":"https://idp.example/scim/v2/Users/"}` }), false},
		"$ref of somebody else":                    {array(func(id string) string { return `{"value":"` + id + `","$ref":"/scim/v2/Users/x` + id + `"}` }), false},
		"userNames as values":                      {array(func(id string) string { return value(userNameOf(id)) }), true},
		"userNames as values, in capitals":         {array(func(id string) string { return value(strings.ToUpper(userNameOf(id))) }), true},
		"userNames as texts":                       {array(func(id string) string { return quote(userNameOf(id)) }), true},
		"display names as values":                  {array(func(id string) string { return value("Person " + id) }), false},
		"ids with a prefix":                        {array(func(id string) string { return value("User:" + id) }), false},
		"texts":                                    {array(quote), true},
		"one text in place of the list":            {func(ids []string) string { return `"members":` + quote(strings.Join(ids, ",")+",") }, false},
		"number of members in place of the list":   {func(ids []string) string { return fmt.Sprintf(`"members":%d`, len(ids)) }, false},
		"true in place of the list":                {func([]string) string { return `"members":true` }, false},
		"map by id": {func(ids []string) string {
			return `"members":{` + each(ids, func(id string) string { return quote(id) + `:{"display":"x"}` }) + `}`
		}, false},
		"list inside an object": {func(ids []string) string {
			return `"members":{"totalResults":2,"Resources":[` + each(ids, value) + `]}`
		}, false},
		"list inside a list":            {func(ids []string) string { return `"members":[[` + each(ids, value) + `]]` }, false},
		"value is an object with an id": {array(func(id string) string { return `{"value":{"id":"` + id + `"}}` }), true},
		"user is an object with an id":  {array(func(id string) string { return `{"user":{"id":"` + id + `"},"type":"User"}` }), true},
		"value is a list":               {array(func(id string) string { return `{"value":["` + id + `","x"]}` }), false},
		"value is empty":                {array(func(id string) string { return `{"value":"","display":"Person ` + id + `"}` }), false},
		"value is null":                 {array(func(id string) string { return `{"value":null,"display":"Person ` + id + `"}` }), false},
		"only a display name":           {array(func(id string) string { return `{"display":"Person ` + id + `"}` }), false},
		"empty objects":                 {array(func(string) string { return `{}` }), false},
		"nulls":                         {array(func(string) string { return `null` }), false},
		"numbers of something else":     {array(func(string) string { return `{"value":17}` }), false},
		"each twice":                    {func(ids []string) string { return `"members":[` + each(append(ids, ids...), value) + `]` }, true},
		"other case of names": {func(ids []string) string {
			return `"Members":[` + each(ids, func(id string) string { return `{"VALUE":"` + id + `"}` }) + `]`
		}, true},
		"told before the group's name, as an object with numeric keys": {indexed(value), true},
		"more members behind a link": {func(ids []string) string {
			return `"members":[` + value(ids[0]) + `],"members@odata.nextLink":"https://idp.example/scim/v2/Groups/g/members?page=2"`
		}, false},
		"fewer members than are counted": {func(ids []string) string { return `"membersCount":7,"members":[` + each(ids, value) + `]` }, false},
		"as many members as are counted": {func(ids []string) string {
			return fmt.Sprintf(`"members":[%s],"memberCount":%d`, each(ids, value), len(ids))
		}, true},
	}
	return all
}

// TestMembersInEveryForm writes the members of all groups, or of one group, in forms that real servers use. A
// sync has exactly the members, or it fails and names the group.
func TestMembersInEveryForm(t *testing.T) {
	for name, f := range forms() {
		for _, only := range []string{"g1", "g2", ""} {
			where := "in all groups"
			if only != "" {
				where = "in " + only
			}
			t.Run(name+"/"+where, func(t *testing.T) {
				t.Parallel()
				o := small()
				o.shape = func(g *team) string {
					if only != "" && g.id != only {
						return usual(g)
					}
					return f.write(slices.Clone(g.members))
				}
				p := perplexity(t, o.serve(t))
				r := p.run(t)
				switch {
				case !f.read && (r.code == 0 || p.sealed()):
					t.Errorf("members that cannot be read: the sync ends with %d, sealed %t: %q\n%s", r.code, p.sealed(), p.grants(t), r.stdout)
				case !f.read && !strings.Contains(r.stderr, "g1") && !strings.Contains(r.stderr, "g2"):
					t.Errorf("the error names no group: %s", r.stderr)
				case f.read && r.code != 0:
					t.Errorf("the sync fails: %s", r.stderr)
				case f.read && !slices.Equal(p.grants(t), o.memberships()):
					t.Errorf("grants %q, want %q", p.grants(t), o.memberships())
				}
			})
		}
	}
}

// TestChangesOfMembersInEveryForm requests changes while members are written in each form. A revocation of a
// member is carried out or fails, and is never called already done; the only admin is not disabled.
func TestChangesOfMembersInEveryForm(t *testing.T) {
	for name, f := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := small()
			p := perplexity(t, o.serve(t))
			if r := p.run(t); r.code != 0 {
				t.Fatal(r.stderr)
			}
			o.set(func(g *team) string { return f.write(slices.Clone(g.members)) })
			r := p.run(t, "--invoke-action", "disable_user", "--invoke-action-args", `{"user_id":"u1"}`)
			if r.code == 0 || o.wrote() > 0 {
				t.Errorf("disabling the only admin ends with %d after %d writes: %s", r.code, o.wrote(), r.stdout)
			}
			r = p.run(t, "--revoke-grant", "group:g2:member:user:u2")
			switch {
			case r.code == 0 && o.has("g2", "u2"):
				t.Errorf("the revocation ends well, and u2 is still a member: %s", r.stdout)
			case r.code != 0 && f.read:
				t.Errorf("the revocation fails: %s", r.stderr)
			case r.code == 0 && strings.Contains(r.stdout, "already"):
				t.Errorf("it is said to be done already: %s", r.stdout)
			}
			// Other memberships neither appear nor disappear.
			if !o.has("g2", "u3") {
				t.Error("u3 was lost")
			}
			r = p.run(t, "--revoke-grant", "group:g1:member:user:u1")
			if r.code == 0 || !o.has("g1", "u1") {
				t.Errorf("taking Admin from the only admin ends with %d: %s", r.code, r.stdout)
			}
		})
	}
}

// TestIDsInAnotherCase lists members as UUIDs in capitals while accounts have them in lower case, or the
// reverse.
func TestIDsInAnotherCase(t *testing.T) {
	const ann, bob, cid = "0a1b2c3d-0000-4000-8000-00000000000a", "0a1b2c3d-0000-4000-8000-00000000000b", "0a1b2c3d-0000-4000-8000-00000000000c"
	for name, to := range map[string]func(string) string{"members in capitals": strings.ToUpper, "accounts in capitals": strings.ToLower} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := small()
			for i, id := range []string{ann, bob, cid} {
				if o.accounts[i].id = id; name == "accounts in capitals" {
					o.accounts[i].id = strings.ToUpper(id)
				}
			}
			a := o.accounts
			o.teams[0].members, o.teams[1].members = []string{a[0].id}, []string{a[1].id, a[2].id}
			o.shape = func(g *team) string {
				return array(func(id string) string { return `{"value":"` + to(id) + `"}` })(g.members)
			}
			p := perplexity(t, o.serve(t))
			if r := p.run(t); r.code != 0 {
				t.Fatal(r.stderr)
			}
			if got := p.grants(t); !slices.Equal(got, o.memberships()) {
				t.Errorf("grants %q, want %q", got, o.memberships())
			}
			if r := p.run(t, "--revoke-grant", "group:g1:member:user:"+a[0].id); r.code == 0 || o.wrote() > 0 {
				t.Errorf("taking Admin from the only admin ends with %d: %s", r.code, r.stdout)
			}
			if r := p.run(t, "--revoke-grant", "group:g2:member:user:"+a[1].id); r.code != 0 || o.has("g2", a[1].id) || !o.has("g2", a[2].id) {
				t.Errorf("the revocation ends with %d: %s", r.code, r.stderr)
			}
			if r := p.run(t, "--grant-entitlement", "group:g2:member", "--grant-principal", a[2].id, "--grant-principal-type", "user"); r.code != 0 || len(o.team("g2").members) != 1 {
				t.Errorf("the grant of what holds already ends with %d: %s", r.code, r.stderr)
			}
		})
	}
}

// TestMembersWithoutAnAccount lists members whose ids belong to no account. In the form of account ids, they
// are accounts that the server does not show, and are dropped and counted. Other ids may belong to an account
// under another name.
func TestMembersWithoutAnAccount(t *testing.T) {
	for name, tt := range map[string]struct {
		ids    []string // of the accounts
		member string
		sealed bool
	}{
		"one of another organisation":           {[]string{"directory_user_01HCH1XJXP", "directory_user_01HCH2AAXP", "directory_user_01HCH3BBBB"}, "directory_user_01PVYFY7Z8", true},
		"a UUID among UUIDs":                    {[]string{"0a1b2c3d-0000-4000-8000-00000000000a", "0a1b2c3d-0000-4000-8000-00000000000b", "0a1b2c3d-0000-4000-8000-00000000000c"}, "ffffffff-0000-4000-8000-00000000000c", true},
		"a number among numbers":                {[]string{"1001", "1002", "1003"}, "1417", true},
		"a number among UUIDs":                  {[]string{"0a1b2c3d-0000-4000-8000-00000000000a", "0a1b2c3d-0000-4000-8000-00000000000b", "0a1b2c3d-0000-4000-8000-00000000000c"}, "17", false},
		"an address of nobody":                  {[]string{"1001", "1002", "1003"}, "zoe@acme.example", false},
		"the number of somebody, but not as id": {[]string{"1001", "1002", "1003"}, "2001", false},
		"a nested group without a type":         {[]string{"1001", "1002", "1003"}, "g1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := small()
			for i, id := range tt.ids {
				o.accounts[i].id = id
				o.accounts[i].more = fmt.Sprintf(`"externalId":"200%d"`, i)
			}
			o.teams[0].members, o.teams[1].members = tt.ids[:1], tt.ids[1:]
			want := o.memberships()
			o.teams[1].members = append(slices.Clone(tt.ids[1:]), tt.member)
			p := perplexity(t, o.serve(t))
			r := p.run(t)
			switch {
			case tt.sealed != p.sealed() || tt.sealed != (r.code == 0):
				t.Errorf("the sync ends with %d, sealed %t: %s", r.code, p.sealed(), r.stderr)
			case tt.sealed && !slices.Equal(p.grants(t), want):
				t.Errorf("grants %q, want %q", p.grants(t), want)
			case tt.sealed && !strings.Contains(r.stdout+r.stderr, "does not list"):
				t.Errorf("the member that was left out is not counted:\n%s%s", r.stdout, r.stderr)
			case !tt.sealed && (!strings.Contains(r.stderr, "g2") || !strings.Contains(r.stderr, tt.member)):
				t.Errorf("the error names neither group nor member: %s", r.stderr)
			}
			// One member has left meanwhile.
			o.teams[1].members = tt.ids[1:]
			p = perplexity(t, o.serve(t))
			if r := p.run(t); r.code != 0 {
				t.Fatal(r.stderr)
			}
			o.teams[1].members = []string{tt.ids[2], tt.member}
			r = p.run(t, "--revoke-grant", "group:g2:member:user:"+tt.ids[1])
			if tt.sealed != (r.code == 0) || o.wrote() > 0 {
				t.Errorf("the revocation of what is gone ends with %d after %d writes: %s%s", r.code, o.wrote(), r.stdout, r.stderr)
			}
		})
	}
}

// TestNoAdminKnown: if no account is known to be Admin, a change may still remove an admin.
func TestNoAdminKnown(t *testing.T) {
	for name, shape := range map[string]string{
		"the group is empty":             `"members":[]`,
		"it has an account of elsewhere": `"members":[{"value":"u9"}]`,
		"it has a device":                `"members":[{"value":"d1","type":"Device"}]`,
		"it has a group":                 `"members":[{"value":"g2","type":"Group"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := small()
			p := perplexity(t, o.serve(t))
			o.shape = func(g *team) string {
				if g.id == "g1" {
					return shape
				}
				return usual(g)
			}
			args := []string{"--invoke-action", "disable_user", "--invoke-action-args", `{"user_id":"u1"}`}
			if r := p.run(t, args...); r.code == 0 || o.wrote() > 0 {
				t.Errorf("disabling ends with %d after %d writes: %s", r.code, o.wrote(), r.stdout)
			} else if !strings.Contains(r.stderr, "--allow-last-admin") {
				t.Errorf("it does not say how to go on: %s", r.stderr)
			}
			if r := p.run(t, append(args, "--allow-last-admin")...); r.code != 0 || o.wrote() != 1 {
				t.Errorf("disabling as told ends with %d: %s", r.code, r.stderr)
			}
		})
	}
}
