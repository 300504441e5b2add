package scim

import (
	"strings"

	"baton"
)

// This file decides which name a user record belongs to.

// SameName compares user names and addresses byte by byte, except that it ignores the case of ASCII letters.
// SCIM ignores the case of user names (RFC 7643 section 4.1.1). Folding other letters would confuse two
// people: U+212A, the Kelvin sign, folds to k.
func SameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && (lower(a[i]) != lower(b[i])) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// hasName reports whether name is the user's userName or one of the addresses.
func hasName(u *User, name string) bool {
	if SameName(u.UserName, name) {
		return true
	}
	for _, e := range u.Emails {
		if SameName(e.Value, name) {
			return true
		}
	}
	return false
}

// OwnAddress returns the address that identifies the user: the only primary one, or the only one. It is empty
// if the user has no address, or several candidates.
func (u *User) OwnAddress() string {
	address, primaries := "", 0
	for _, e := range u.Emails {
		if e.Primary {
			if primaries > 0 && !SameName(address, e.Value) {
				return ""
			}
			address = e.Value
			primaries++
		}
	}
	if primaries == 0 && len(u.Emails) == 1 {
		return u.Emails[0].Value
	}
	return address
}

// GoesBy reports whether name identifies the user, by userName or by OwnAddress. Any other address may belong
// to somebody else as well.
func (u *User) GoesBy(name string) bool {
	return name != "" && (SameName(u.UserName, name) || SameName(u.OwnAddress(), name))
}

// Choose returns the account for a name among users, and whether there is one. A matching userName comes
// first, then a matching OwnAddress. Among several, Choose prefers an active user, then one whose userName is
// spelled exactly as the name. If that does not decide, the error is AlreadyExists and names the users.
func Choose(users []User, name string) (User, bool, error) {
	by := func(has func(*User) bool) (found []User) {
		for i := range users {
			if has(&users[i]) {
				found = append(found, users[i])
			}
		}
		return found
	}
	candidates := by(func(u *User) bool { return SameName(u.UserName, name) })
	if len(candidates) == 0 {
		candidates = by(func(u *User) bool { return u.GoesBy(name) })
	}
	for _, better := range []func(*User) bool{
		func(u *User) bool { return u.Active != nil && *u.Active },
		func(u *User) bool { return u.Active == nil },
		func(u *User) bool { return u.UserName == name },
	} {
		if len(candidates) <= 1 {
			break
		}
		users = candidates
		if best := by(better); len(best) > 0 {
			candidates = best
		}
	}
	switch len(candidates) {
	case 0:
		return User{}, false, nil
	case 1:
		return candidates[0], true, nil
	}
	return User{}, false, baton.Errorf(baton.AlreadyExists, "%d accounts could be the one for %q: %s", len(candidates), name, FormatUsers(candidates)).
		WithFix("Find out in the identity provider which of them is meant, and rename or disable the others.")
}

// Naming lists at most five users by userName and id.
func FormatUsers(users []User) string {
	var names []string
	for i := range users {
		if i == 5 {
			names = append(names, "and others")
			break
		}
		u := &users[i]
		text := "id " + u.ID
		if u.UserName != "" {
			text = u.UserName + " (" + u.ID + ")"
		}
		if u.Active != nil && !*u.Active {
			text += ", disabled"
		}
		names = append(names, text)
	}
	return strings.Join(names, "; ")
}
