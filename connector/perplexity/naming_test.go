package perplexity

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/connector/scim"
)

const (
	annID = "0a1b2c3d-0000-4000-8000-00000000000a"
	bobID = "0a1b2c3d-0000-4000-8000-00000000000b"
)

// person is an account of a test: "id userName externalId address address…"; "-" is nothing.
type person string

func (p person) list(n *naming) {
	f := strings.Fields(string(p) + " - - -")
	for i := range f {
		if f[i] == "-" {
			f[i] = ""
		}
	}
	n.listed(f[0], f[1], f[2], func(yield func(string) bool) {
		for _, address := range f[3:] {
			if address != "" && !yield(address) {
				return
			}
		}
	})
}

// TestNaming resolves names to accounts.
func TestNaming(t *testing.T) {
	numbers := []person{"1001 ann@acme.example e-1", "1002 bob@acme.example e-2", "1003 cid@acme.example e-3"}
	workos := []person{"directory_user_01HCH1XJXP ann@acme.example 1", "directory_user_01HCH2AAXP bob@acme.example 2", "directory_user_01HCH3BBBB cid@acme.example 3"}
	uuids := []person{annID + " ann@acme.example 17", bobID + " bob@acme.example 18"}
	for _, tt := range []struct {
		what   string
		people []person
		name   string
		want   string // "is <id>", "unlisted" or "not known"
	}{
		{"a UUID in capitals", uuids, strings.ToUpper(annID), "is " + annID},
		{"a UUID that two accounts have, in other cases", append(uuids[:2:2], person(strings.ToUpper(annID)+" x@acme.example")), "0A1b2c3d-0000-4000-8000-00000000000A", "not known"},
		{"a UUID of nobody", uuids, "ffffffff-0000-4000-8000-00000000000a", "unlisted"},
		{"a UUID without dashes", uuids, strings.ReplaceAll(annID, "-", ""), "not known"},
		{"a UUID in braces", uuids, "{" + annID + "}", "not known"},
		{"a path to a user", numbers, "https://idp.example/scim/v2/Users/1002", "is 1002"},
		{"a path to a user, with a UUID in capitals", uuids, "/Users/" + strings.ToUpper(bobID), "is " + bobID},
		{"a path to a device", numbers, "https://idp.example/scim/v2/Devices/1002", "not known"},
		{"a path to nobody", numbers, "/scim/v2/Users/1009", "not known"},
		{"a userName", numbers, "bob@acme.example", "is 1002"},
		{"a userName in capitals", numbers, "BOB@ACME.EXAMPLE", "is 1002"},
		{"a userName with a letter that only folds to it", []person{"1 kim@acme.example", "2 bob@acme.example"}, "\u212aim@acme.example", "not known"},
		{"a userName that two have", append(numbers[:3:3], "1004 bob@acme.example"), "bob@acme.example", "not known"},
		{"a userName that is an externalId of somebody else", append(numbers[:3:3], "1004 dan@acme.example bob@acme.example"), "bob@acme.example", "not known"},
		{"an account that is met twice", append(numbers[:3:3], numbers[1]), "bob@acme.example", "is 1002"},
		{"an externalId", numbers, "e-3", "is 1003"},
		{"an externalId in another case", numbers, "E-3", "not known"},
		{"an externalId that is written like ids", []person{"1001 ann 2001", "1002 bob 2002"}, "2002", "not known"},
		{"an externalId among UUIDs", uuids, "18", "is " + bobID},
		{"an address", []person{"1001 ann - mail@acme.example", "1002 bob - other@acme.example"}, "Mail@acme.example", "is 1001"},
		{"an address that two have", []person{"1001 ann - mail@acme.example", "1002 bob - mail@acme.example"}, "mail@acme.example", "not known"},
		{"an address of one and the userName of another", []person{"1001 ann - bob@acme.example", "1002 bob@acme.example"}, "bob@acme.example", "is 1002"},
		{"an id of another organisation", workos, "directory_user_01PVYFY7Z8", "unlisted"},
		{"an id with another prefix", workos, "directory_group_01PVYFY7Z8", "not known"},
		{"an id in small letters", workos, "directory_user_01hch1xjxp", "not known"},
		{"an id in capitals", workos, "DIRECTORY_USER_01HCH1XJXP", "not known"},
		{"an id with a prefix", workos, "user:directory_user_01HCH1XJXP", "not known"},
		{"an id with a blank behind", workos, "directory_user_01HCH1XJXP ", "not known"},
		{"a number with zeros in front", numbers, "0001001", "not known"},
		{"a number of nobody", numbers, "1417", "unlisted"},
		{"a number that is far too long", numbers, "100000000000", "not known"},
		{"a number among UUIDs", uuids, "17", "is " + annID},
		{"a UUID among numbers", numbers, annID, "not known"},
		{"the id of a group", numbers, "g1", "unlisted"},
		{"the id of a group that is a userName, too", []person{"1001 g1", "1002 bob"}, "g1", "unlisted"},
		{"a display name", numbers, "Ann Okafor", "not known"},
		{"anything, where there is no account", nil, "1001", "not known"},
		{"nothing", numbers, "", "not known"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			n := newNaming(slices.Values([]string{tt.name}))
			for _, p := range tt.people {
				p.list(n)
			}
			var got []string
			n.resolve(func(id string) bool { return id == "g1" }, func(name string, v verdict, account string) {
				got = append(got, map[verdict]string{notKnown: "not known", unlisted: "unlisted", resolved: "is " + account}[v])
				if name != tt.name || v != resolved && account != "" {
					t.Errorf("%q %v %q", name, v, account)
				}
			})
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("it is %q, want %q", got, tt.want)
			}
		})
	}
}

// TestNamesInOrder: names are resolved in the order in which they were given, and do not affect each other.
func TestNamesInOrder(t *testing.T) {
	n := newNaming(slices.Values([]string{"BOB@acme.example", "bob@acme.example", "1009", "ann@acme.example"}))
	for _, p := range []person{"1001 ann@acme.example", "1002 bob@acme.example"} {
		p.list(n)
	}
	var got []string
	n.resolve(func(string) bool { return false }, func(name string, v verdict, account string) {
		got = append(got, fmt.Sprint(name, " ", v == unlisted, " ", account))
	})
	want := []string{"BOB@acme.example false 1002", "bob@acme.example false 1002", "1009 true ", "ann@acme.example false 1001"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestResolvePrincipals resolves the principals of a sync's grants.
func TestResolvePrincipals(t *testing.T) {
	account := func(id, userName, externalID string, addresses ...string) baton.Resource {
		r := baton.Resource{ID: userResource(id), Profile: baton.Profile{"user_name": userName, "external_id": externalID}, User: &baton.User{}}
		for _, a := range addresses {
			r.User.Emails = append(r.User.Emails, baton.Email{Address: a})
		}
		return r
	}
	accounts := []baton.Resource{account("1001", "ann", "", "ann@acme.example"), account("1002", "bob", "e-2"), {ID: userResource("1003")}}
	for _, tt := range []struct {
		names  []string
		same   map[string]string
		unread []string
	}{
		{nil, map[string]string{}, nil},
		{[]string{"ann@acme.example", "bob", "e-2"}, map[string]string{"ann@acme.example": "1001", "bob": "1002", "e-2": "1002"}, nil},
		{[]string{"1417", "group-1"}, map[string]string{}, nil}, // unlisted accounts and a nested group
		{[]string{"zoe@acme.example", "bob", "?"}, map[string]string{"bob": "1002"}, []string{"zoe@acme.example", "?"}},
	} {
		c := &connector{}
		same, unread, err := c.resolvePrincipals(baton.Unknown{Principals: slices.Values(tt.names),
			Accounts: func(fn func(baton.Resource) error) error {
				for _, r := range accounts {
					if err := fn(r); err != nil {
						return err
					}
				}
				return nil
			},
			Has: func(id baton.ResourceID) bool { return id == groupResource("group-1") }})
		if err != nil || !maps.Equal(same, tt.same) || !slices.Equal(unread, tt.unread) {
			t.Errorf("%q: %v, %q, %v", tt.names, same, unread, err)
		}
	}
	broken := errors.New("the pages cannot be read")
	c := &connector{}
	if _, _, err := c.resolvePrincipals(baton.Unknown{Principals: slices.Values([]string{"bob"}), Accounts: func(func(baton.Resource) error) error { return broken }}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestTooManyNames: the members of a group with very many unresolved names are unknown.
func TestTooManyNames(t *testing.T) {
	members := new(scim.Members)
	for i := range maxNames + 1 {
		members.Add(scim.Member{Value: fmt.Sprintf("p%d@acme.example", i)})
	}
	r := rosterOf(scim.Group{ID: "g1", Members: members})
	c := &connector{}
	if err := c.nameAll(t.Context(), &r); err != nil || r.proven || !strings.Contains(r.unproven().Error(), "more than 262144 members") {
		t.Errorf("proven %t, %v, %v", r.proven, err, r.unproven())
	}
}

// TestIDForm recognises names in the form of account ids.
func TestIDForm(t *testing.T) {
	for _, tt := range []struct {
		ids  string
		name string
		like bool
	}{
		{"", "1", false},
		{"7", "8", true},
		{"7", "77", true},
		{"7", "777", false},
		{"7", "x", false},
		{"u1 u2 u3", "u9", true},
		{"u1 u2 u3", "v9", false},
		{"u1", "v9", true}, // a single id does not show a prefix
		{"abc-1 abc-2", "abc_1", false},
		{"abc-1 abc-2", "ABC-1", false},
		{"éa1 éb2", "éc3", true},
		{"a1 b2", "é3", false},
		{annID, bobID, true},
		{annID, "7", false},
		{annID + " 7", "9", true},
		{annID + " 7", strings.ToUpper(bobID), true},
	} {
		var f idForm
		for _, id := range strings.Fields(tt.ids) {
			f.add(id)
		}
		if got := f.like(tt.name); got != tt.like {
			t.Errorf("%q is like %q: %t", tt.name, tt.ids, got)
		}
	}
}

// TestNearlyID compares ids that may be the same.
func TestNearlyID(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"abc", "abc"}: false, {"abc", "ABC"}: true, {"abc ", "abc"}: true, {"007", "7"}: true, {"70", "7"}: false, {"a-b", "ab"}: false, {"", "0"}: true,
	} {
		if got := nearlyID(pair[0], pair[1]); got != want {
			t.Errorf("%q: %t", pair, got)
		}
	}
}

// TestDoubts: which members are doubtful, within a process and after a restart.
func TestDoubts(t *testing.T) {
	var d doubts
	d.add("g1", "ann")
	d.add("g1", "bob")
	d.add("g2", "ann")
	for _, tt := range []struct {
		group, user string
		want        bool
	}{{"g1", "ann", true}, {"g1", "bob", true}, {"g1", "cid", false}, {"g2", "ann", true}, {"g2", "bob", false}, {"g3", "ann", false}} {
		if got := d.has(tt.group, tt.user); got != tt.want {
			t.Errorf("%s in %s: %t", tt.user, tt.group, got)
		}
	}
	if got := d.in(); !slices.Equal(got, []string{"g1", "g2"}) {
		t.Errorf("groups %q", got)
	}
	// An earlier process had doubts about two groups; meanwhile this one has learned about another.
	d.restore([]string{"g1", "g4"})
	d.add("g4", "ann")
	if d.has("g1", "cid") || !d.has("g4", "ann") || !d.has("g4", "cid") || !slices.Equal(d.in(), []string{"g1", "g2", "g4"}) {
		t.Errorf("restored: %q, %t %t %t", d.in(), d.has("g1", "cid"), d.has("g4", "ann"), d.has("g4", "cid"))
	}
	// A sync finds that a member is listed under another name.
	d.reset()
	d.add("g1", "ann@acme.example")
	d.add("g2", "bob@acme.example")
	d.alias("ann@acme.example", "1001")
	if !d.has("g1", "1001") || d.has("g2", "1001") {
		t.Errorf("an alias: %t %t", d.has("g1", "1001"), d.has("g2", "1001"))
	}
	d.reset()
	if d.has("g1", "ann") || d.has("g4", "ann") || len(d.in()) > 0 {
		t.Error("doubts remain")
	}
	var fresh doubts
	fresh.restore([]string{"g1"})
	if !fresh.has("g1", "anybody") {
		t.Error("a restored doubt is none")
	}
}

// TestTooManyDoubts: beyond a limit, the whole group is doubtful.
func TestTooManyDoubts(t *testing.T) {
	var d doubts
	for i := range maxDoubts - 1 {
		d.add("g1", fmt.Sprint("u", i))
	}
	if !d.has("g1", "u0") || d.has("g1", "ann") {
		t.Error("below the limit")
	}
	d.add("g1", "v")
	d.add("g1", "w")
	if !d.has("g1", "ann") || d.has("g2", "ann") {
		t.Error("at the limit")
	}
}

// TestUserAndDeviceWithOneID: the account is a member, and certainly one if an entry says so clearly.
func TestUserAndDeviceWithOneID(t *testing.T) {
	entry := func(kind scim.MemberKind) scim.Member { return scim.Member{Value: "7", Kind: kind} }
	for _, tt := range []struct {
		entries     []scim.Member
		has, surely bool
		problem     bool
	}{
		{[]scim.Member{entry(scim.UserMember)}, true, true, false},
		{[]scim.Member{entry(scim.OtherMember)}, false, false, false},
		{[]scim.Member{entry(scim.GroupMember)}, false, false, false},
		{[]scim.Member{entry(scim.LikelyUser)}, true, false, false},
		{[]scim.Member{entry(scim.UserMember), entry(scim.OtherMember)}, true, true, false},
		{[]scim.Member{entry(scim.OtherMember), entry(scim.UserMember)}, true, true, false},
		{[]scim.Member{entry(scim.GroupMember), entry(scim.UserMember)}, true, true, false},
		{[]scim.Member{entry(scim.UserMember), entry(scim.LikelyUser)}, true, false, false},
		{[]scim.Member{entry(scim.OtherMember), entry(scim.LikelyUser)}, true, false, false},
		{[]scim.Member{entry(scim.UserMember), {Kind: scim.UnreadableMember, Detail: "it is null"}}, true, true, true},
	} {
		members := new(scim.Members)
		for _, m := range tt.entries {
			members.Add(m)
		}
		r := rosterOf(scim.Group{ID: "g1", Members: members})
		if r.has("7") != tt.has || r.surely("7") != tt.surely || (r.problem() != "") != tt.problem || r.proven == tt.problem {
			t.Errorf("%+v: has %t, surely %t, problem %q, proven %t", tt.entries, r.has("7"), r.surely("7"), r.problem(), r.proven)
		}
	}
}

// FuzzNaming: a name resolves to the same account or to none, whatever the order of the accounts, and never
// to one of two that both have it.
func FuzzNaming(f *testing.F) {
	f.Add("ann@acme.example", "1001", "ann@acme.example", "e-1", "1002", "bob@acme.example", "e-2")
	f.Add(strings.ToUpper(annID), annID, "ann", "", bobID, "bob", strings.ToUpper(annID))
	f.Add("/Users/1", "1", "u", "", "01", "U", "")
	f.Add("1417", "1001", "1417", "", "1002", "1417", "")
	f.Fuzz(func(t *testing.T, name, id1, name1, ext1, id2, name2, ext2 string) {
		if id1 == "" || id2 == "" || id1 == id2 || name == id1 || name == id2 {
			return // such names are not in question
		}
		none := func(func(string) bool) {}
		ask := func(first bool) (v verdict, account string) {
			n := newNaming(slices.Values([]string{name}))
			if first {
				n.listed(id1, name1, ext1, none)
			}
			n.listed(id2, name2, ext2, none)
			if !first {
				n.listed(id1, name1, ext1, none)
			}
			n.resolve(func(string) bool { return false }, func(_ string, is verdict, of string) { v, account = is, of })
			return v, account
		}
		v, account := ask(true)
		if again, other := ask(false); again != v || other != account {
			t.Errorf("%q is %v %q, and %v %q in another order", name, v, account, again, other)
		}
		if (v == resolved) != (account == id1 || account == id2) {
			t.Errorf("%q is %v %q", name, v, account)
		}
		has := func(userName, ext string) bool { return name != "" && (scim.SameName(name, userName) || name == ext) }
		if v == resolved && has(name1, ext1) && has(name2, ext2) && !scim.SameUUID(name, account) && scim.UserInPath(name) == "" {
			t.Errorf("%q is %q, and both have it", name, account)
		}
	})
}
