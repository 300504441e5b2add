package perplexity

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"baton"
	"baton/connector/scim"
)

// Groups list members by the ids of accounts. Some servers write an id in another case, or a
// userName instead. This file resolves such names, and tells ids of accounts that the server
// does not list from names that cannot be resolved:
//
//	a name that is not the id of an account           stands for
//	a UUID, and one account has it in another case    that account
//	a path that ends in Users/ and an account's id    that account
//	an id in another case, but no UUID, or with       not known
//	other zeros or blanks around it
//	the userName, externalId or else an address of    that account, unless the name is
//	one account only                                  written like an id: then it is not known
//	the same of several accounts                      not known
//	the id of a group                                 a nested group
//	written like the ids of the accounts              an account that the server does not
//	                                                  list: disabled, or of another organisation
//	anything else                                     not known
//
// The members of a group that lists a name of the kind "not known" are not proven.

// naming resolves names. It gets the accounts one by one and keeps the ids of those that a name may identify.
// It uses little memory per name, because there may be very many.
type naming struct {
	form  idForm
	names []nameInQuestion
	first map[string]int32 // index in entries, by each text of an account, in lower case
	// entries holds the names for a text, each with the index of the next one, or -1.
	entries []struct{ name, next int32 }
	ids     []string // of accounts
}

// nameInQuestion is a name that is not exactly the id of an account, with the accounts that it may identify.
type nameInQuestion struct {
	name   string
	nearly bool  // an account's id is nearly this name
	byID   match // accounts with this id, ignoring the case of a UUID or a path before it
	byName match // accounts with the userName or externalId
	byMail match
}

// match is the matching account: none, one, or several.
type match int32

const (
	nobodyMatches  match = 0 // other values: index of the id in naming.ids, plus one
	severalMatches match = -1
)

// match records that an account matches.
func (n *naming) match(m *match, id string) {
	switch {
	case *m == nobodyMatches:
		if last := len(n.ids); last == 0 || n.ids[last-1] != id {
			n.ids = append(n.ids, strings.Clone(id))
		}
		*m = match(len(n.ids))
	case *m > 0 && n.ids[*m-1] != id:
		*m = severalMatches
	}
}

// verdict is the result for one name.
type verdict int

const (
	notKnown verdict = iota // the name cannot be resolved
	unlisted                // the name is the id of an account that the server does not list
	resolved
)

func newNaming(names iter.Seq[string]) *naming {
	n := &naming{first: map[string]int32{}}
	for name := range names {
		place := int32(len(n.names))
		n.names = append(n.names, nameInQuestion{name: name})
		for _, text := range [...]string{name, scim.UserInPath(name), looseID(name)} {
			key := strings.ToLower(text)
			head, ok := n.first[key]
			if !ok {
				head = -1
			}
			if key == "" || ok && n.entries[head].name == place {
				continue
			}
			n.first[key] = int32(len(n.entries))
			n.entries = append(n.entries, struct{ name, next int32 }{place, head})
		}
	}
	return n
}

// matching returns the names that equal a text of an account, ignoring case.
func (n *naming) matching(text string) iter.Seq[*nameInQuestion] {
	return func(yield func(*nameInQuestion) bool) {
		at, ok := n.first[strings.ToLower(text)]
		for ok && at >= 0 {
			e := n.entries[at]
			if !yield(&n.names[e.name]) {
				return
			}
			at = e.next
		}
	}
}

// listed adds an account that the server lists.
func (n *naming) listed(id, userName, externalID string, addresses iter.Seq[string]) {
	n.form.add(id)
	for q := range n.matching(id) {
		if inPath := scim.UserInPath(q.name); scim.SameUUID(q.name, id) || inPath == id || scim.SameUUID(inPath, id) {
			n.match(&q.byID, id)
		}
	}
	for q := range n.matching(looseID(id)) {
		q.nearly = q.nearly || nearlyID(q.name, id)
	}
	if userName != "" {
		for q := range n.matching(userName) {
			if scim.SameName(q.name, userName) {
				n.match(&q.byName, id)
			}
		}
	}
	if externalID != "" {
		for q := range n.matching(externalID) {
			if q.name == externalID {
				n.match(&q.byName, id)
			}
		}
	}
	for address := range addresses {
		for q := range n.matching(address) {
			if scim.SameName(q.name, address) {
				n.match(&q.byMail, id)
			}
		}
	}
}

// account adds an account that was read.
func (n *naming) account(u scim.User) {
	n.listed(u.ID, u.UserName, u.ExternalID, func(yield func(string) bool) {
		for _, e := range u.Emails {
			if !yield(e.Value) {
				return
			}
		}
	})
}

// notIdentified returns the message for a name that cannot be resolved.
func notIdentified(name string) string {
	return "it lists " + strconv.Quote(clip(name)) + ", and it is not known which account that is"
}

// resolve calls fn with the result for each name. All accounts must have been added.
func (n *naming) resolve(isGroup func(id string) bool, fn func(name string, v verdict, account string)) {
	for _, q := range n.names {
		like := n.form.like(q.name)
		by := q.byName
		if by == nobodyMatches {
			by = q.byMail
		}
		switch {
		case q.byID > 0:
			fn(q.name, resolved, n.ids[q.byID-1])
		case q.byID == severalMatches, q.nearly:
			fn(q.name, notKnown, "")
		case isGroup(q.name):
			fn(q.name, unlisted, "")
		case by > 0 && !like:
			fn(q.name, resolved, n.ids[by-1])
		case by == nobodyMatches && like:
			fn(q.name, unlisted, "")
		default:
			fn(q.name, notKnown, "")
		}
	}
}

// looseID returns an id in lower case, without leading zeros and surrounding blanks, because servers change
// these.
func looseID(id string) string {
	return strings.ToLower(strings.TrimLeft(strings.TrimSpace(id), "0"))
}

// nearlyID reports whether two ids differ but may be spellings of the same id.
func nearlyID(a, b string) bool { return a != b && looseID(a) == looseID(b) }

// idForm describes the ids of accounts: their characters, their lengths, and their common prefix.
type idForm struct {
	uuids, others int
	classes       uint // of characters, a bit for each
	punctuation   [2]uint64
	min, max      int
	prefix        string // of others, without digits
}

// Classes of characters.
const (
	lowerCase = 1 << iota
	upperCase
	digit
	beyondASCII
)

func (f *idForm) add(id string) {
	if id == "" {
		return
	}
	if scim.IsUUID(id) {
		f.uuids++
		return
	}
	classes, punctuation := contents(id)
	f.classes |= classes
	f.punctuation[0] |= punctuation[0]
	f.punctuation[1] |= punctuation[1]
	if f.others == 0 {
		f.min, f.max = len(id), len(id)
		f.prefix = id
		if i := strings.IndexAny(id, "0123456789"); i >= 0 {
			f.prefix = id[:i]
		}
	}
	f.others++
	f.min, f.max = min(f.min, len(id)), max(f.max, len(id))
	for !strings.HasPrefix(id, f.prefix) {
		f.prefix = f.prefix[:len(f.prefix)-1]
	}
}

// like reports whether a name has the form of the accounts' ids.
func (f *idForm) like(name string) bool {
	if scim.IsUUID(name) {
		return f.uuids > 0
	}
	if f.others == 0 || len(name) < (f.min+1)/2 || len(name) > 2*f.max {
		return false
	}
	classes, punctuation := contents(name)
	if classes&^f.classes != 0 || punctuation[0]&^f.punctuation[0] != 0 || punctuation[1]&^f.punctuation[1] != 0 {
		return false
	}
	return f.others < 2 || strings.HasPrefix(name, f.prefix) // a single id does not show a prefix
}

func contents(s string) (classes uint, punctuation [2]uint64) {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z':
			classes |= lowerCase
		case 'A' <= c && c <= 'Z':
			classes |= upperCase
		case '0' <= c && c <= '9':
			classes |= digit
		case c >= 0x80:
			classes |= beyondASCII
		default:
			punctuation[c/64] |= 1 << (c % 64)
		}
	}
	return classes, punctuation
}

// resolvePrincipals resolves the principals of a sync's grants that are not the id of an account in it.
func (c *connector) resolvePrincipals(unknown baton.Unknown) (same map[string]string, unread []string, err error) {
	n := newNaming(unknown.Principals)
	err = unknown.Accounts(func(r baton.Resource) error {
		userName, _ := r.Profile["user_name"].(string)
		externalID, _ := r.Profile["external_id"].(string)
		n.listed(r.ID.ID, userName, externalID, func(yield func(string) bool) {
			if r.User == nil {
				return
			}
			for _, e := range r.User.Emails {
				if !yield(e.Address) {
					return
				}
			}
		})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	same = map[string]string{}
	isGroup := func(id string) bool { return unknown.Has(groupResource(id)) }
	n.resolve(isGroup, func(name string, v verdict, account string) {
		switch v {
		case resolved:
			same[name] = account
			c.doubts.alias(name, account)
		case notKnown:
			unread = append(unread, name)
		}
	})
	return same, unread, nil
}

// establish checks that the group lists members by the ids of accounts, or else resolves them. It is called
// before an account that is not listed under its id counts as a non-member.
func (c *connector) establish(ctx context.Context, r *roster, userID string) error {
	for name := range r.names() {
		u, err := c.scim.GetUser(ctx, name)
		switch {
		case err == nil && u.ID == name:
			return c.nameIfUnlike(ctx, r, userID, name)
		case err != nil && !refersToNobody(err):
			return err
		}
		return c.nameAll(ctx, r)
	}
	return nil
}

// nameIfUnlike resolves the members of the group if one of them does not have the form of the given account
// ids.
func (c *connector) nameIfUnlike(ctx context.Context, r *roster, ids ...string) error {
	if r.fromAccounts {
		return nil
	}
	var form idForm
	for _, id := range ids {
		form.add(id)
	}
	for name := range r.names() {
		if !form.like(name) || slices.ContainsFunc(ids, func(id string) bool { return nearlyID(name, id) }) {
			return c.nameAll(ctx, r)
		}
	}
	return nil
}

// nameIfOdd resolves the members of the group if one of them does not look like an id, such as an address, or
// is a UUID in another case than the id of the group.
func (c *connector) nameIfOdd(ctx context.Context, r *roster) error {
	for name := range r.names() {
		if strings.ContainsAny(name, "@ ,;=:/") || scim.IsUUID(name) && scim.IsUUID(r.ID) && upper(name) != upper(r.ID) {
			return c.nameAll(ctx, r)
		}
	}
	return nil
}

// upper reports whether a UUID is written in capitals.
func upper(uuid string) bool { return strings.ContainsAny(uuid, "ABCDEF") }

// establishRoles checks that the role groups that do not list the account list members by the ids of
// accounts.
func (c *connector) establishRoles(ctx context.Context, p *snapshot, userID string) error {
	evidence := ""
	for _, g := range p.groups {
		if as, kinds := g.Members.Find(userID); kinds.IsUser() && as == userID {
			evidence = userID // some group lists it under its id, so the server uses ids
		}
	}
	for _, id := range sorted(p.rosters) {
		r := p.rosters[id]
		if r.has(userID) && !r.byAccount || !r.proven {
			continue
		}
		var err error
		if evidence != "" {
			err = c.nameIfUnlike(ctx, &r, userID)
		} else if err = c.establish(ctx, &r, userID); err == nil && r.proven && r.known() > 0 {
			evidence = userID
		}
		if err != nil {
			return err
		}
		p.rosters[id] = r
	}
	return nil
}

// refersToNobody reports whether an error of reading a user may mean that no user has the id.
func refersToNobody(err error) bool {
	switch baton.KindOf(err) {
	case baton.Invalid, baton.Incomplete:
		return true
	}
	return false
}

// maxNames limits the members of one group that are resolved, because each takes memory.
const maxNames = 1 << 18

// nameAll resolves the members of the group. It reads all accounts and groups.
func (c *connector) nameAll(ctx context.Context, r *roster) error {
	if r.size() > maxNames {
		r.Members.Fail(fmt.Sprintf("it lists more than %d members, and not all of them by the ids of accounts", maxNames))
		r.proven = false
		return nil
	}
	n := newNaming(r.users())
	ids := map[string]bool{} // listed as they are
	err := c.scim.AllUsers(ctx, func(u scim.User) {
		if as, kinds := r.Members.Find(u.ID); as == u.ID && kinds != 0 {
			ids[u.ID] = true
		}
		n.account(u)
	})
	if err != nil {
		return err
	}
	groups, err := c.scim.AllGroups(ctx, nobody)
	if err != nil {
		return err
	}
	isGroup := map[string]bool{}
	for _, g := range groups {
		isGroup[g.ID] = true
	}
	n.resolve(func(id string) bool { return isGroup[id] }, func(name string, v verdict, account string) {
		switch {
		case ids[name]:
		case v == resolved:
			r.aside[account], r.named[name] = name, account
		case v == unlisted:
			r.unlisted++
		default:
			r.Members.Fail(notIdentified(name))
			r.proven = false
		}
	})
	return nil
}

// clip shortens a name for a message.
func clip(name string) string {
	if runes := []rune(name); len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return name
}
