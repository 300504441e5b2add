package scim

import (
	"strings"

	"baton"
)

// This file decides whose record a user is.

// SameName compares user names and addresses byte by byte, except that ASCII letters
// are the same in both cases. SCIM has user names that ignore the case (RFC 7643 section
// 4.1.1). Folding other letters would take one person for another: U+212A, the Kelvin
// sign, folds to k.
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

// answersTo reports whether the user has the name as userName or among the addresses.
func answersTo(u *User, name string) bool {
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

// OwnAddress returns the one address that stands for the user: the only primary one, or the
// only one at all. It is empty where the user has none, or several that may be meant.
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

// GoesBy reports whether the user is the account for a name: by userName or by
// OwnAddress. Any other address may be somebody else's as well.
func (u *User) GoesBy(name string) bool {
	return name != "" && (SameName(u.UserName, name) || SameName(u.OwnAddress(), name))
}

// Choose returns the account for a name among users, and whether there is one. The
// userName decides; where nobody has it, OwnAddress does. Of several, the active one is
// meant, and of several of these, the one whose userName is spelled as the name is. An
// error of kind AlreadyExists names the users if it is still not clear.
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
	return User{}, false, baton.Errorf(baton.AlreadyExists, "%d accounts could be the one for %q: %s", len(candidates), name, Naming(candidates)).
		WithFix("Find out in the identity provider which of them is meant, and rename or disable the others.")
}

// Naming lists users by userName and id, five at the most.
func Naming(users []User) string {
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
