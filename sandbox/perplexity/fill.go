package perplexity

import (
	"fmt"
	"slices"
	"strings"

	"baton/internal/scim"
)

// fill reads a user's attributes from a document. Like WorkOS, it is strict when a user is created or
// replaced, and lenient in a PATCH, in which a boolean may be a string. missingEmails is the scimType of the
// error if there is no address, or empty if none is required.
func (u *user) fill(doc object, lenient bool, missingEmails string) *failure {
	if f := refuseNulls(doc, ""); f != nil {
		return f
	}
	for _, a := range doc {
		var f *failure
		switch strings.ToLower(a.Name) {
		case "id", "meta", "groups", "password": // read-only or unused
		case "schemas":
			f = checkSchemas(a.Value, scim.UserURN)
		case "username":
			u.userName, f = text(a)
		case "externalid":
			u.externalID, f = text(a)
		case "displayname":
			u.displayName, f = text(a)
		case "active":
			u.active, f = boolean(a, lenient)
		case "name":
			f = u.fillName(a)
		case "emails":
			f = u.fillEmails(a, lenient)
		default:
			u.extra = append(u.extra, a)
		}
		if f != nil {
			return f
		}
	}
	if strings.TrimSpace(u.userName) == "" {
		return fail(400, "invalidValue", "'userName' is required")
	}
	if len(u.emails) == 0 {
		if missingEmails == "" {
			return nil
		}
		if !isAddress(u.userName) {
			return fail(400, missingEmails, "Required attributes missing: emails")
		}
		u.emails = []email{{value: u.userName, kind: "work", primary: true}}
	}
	return nil
}

func (u *user) fillName(a attr) *failure {
	o, ok := a.Value.(object)
	if !ok {
		return expected("name", "object", a.Value)
	}
	for _, part := range o {
		i := slices.IndexFunc(nameParts[:], func(n string) bool { return strings.EqualFold(n, part.Name) })
		if i < 0 {
			continue
		}
		var f *failure
		if u.name[i], f = text(attr{"name." + part.Name, part.Value}); f != nil {
			return f
		}
	}
	return nil
}

// fillEmails reads the addresses that have a value. It does not check their form.
func (u *user) fillEmails(a attr, lenient bool) *failure {
	l, ok := a.Value.([]any)
	if !ok {
		return expected("emails", "array", a.Value)
	}
	for _, v := range l {
		o, ok := v.(object)
		if !ok {
			return expected("emails", "array of objects", v)
		}
		var e email
		for _, part := range o {
			var f *failure
			switch strings.ToLower(part.Name) {
			case "value":
				e.value, f = text(attr{"emails.value", part.Value})
			case "type":
				e.kind, f = text(attr{"emails.type", part.Value})
			case "display":
				e.display, f = text(attr{"emails.display", part.Value})
			case "primary":
				e.primary, f = boolean(attr{"emails.primary", part.Value}, lenient)
			}
			if f != nil {
				return f
			}
		}
		if strings.TrimSpace(e.value) == "" {
			continue
		}
		if e.primary {
			for i := range u.emails {
				u.emails[i].primary = false
			}
		}
		u.emails = append(u.emails, e)
	}
	return nil
}

// fill reads a group's attributes from a document. Like WorkOS, it silently drops members that are not users.
func (g *group) fill(doc object, resolve func(string) *user) *failure {
	for _, a := range doc {
		var f *failure
		if !strings.EqualFold(a.Name, "members") { // where Entra sends a null $ref
			f = refuseNulls(a.Value, a.Name)
		}
		if f != nil {
			return f
		}
		switch strings.ToLower(a.Name) {
		case "id", "meta":
		case "schemas":
			f = checkSchemas(a.Value, scim.GroupURN)
		case "displayname":
			g.displayName, f = text(a)
		case "externalid":
			g.externalID, f = text(a)
		case "members":
			g.members, f = resolveMembers(a, resolve)
		default:
			g.extra = append(g.extra, a)
		}
		if f != nil {
			return f
		}
	}
	if strings.TrimSpace(g.displayName) == "" {
		return fail(400, "invalidValue", "'displayName' is required")
	}
	return nil
}

func resolveMembers(a attr, resolve func(string) *user) ([]*user, *failure) {
	l, ok := a.Value.([]any)
	if !ok {
		return nil, expected("members", "array", a.Value)
	}
	members := make([]*user, 0, len(l))
	known := make(map[*user]bool, len(l))
	for _, v := range l {
		o, ok := v.(object)
		if !ok {
			return nil, expected("members", "array of objects", v)
		}
		if u := resolve(scim.ValueOf(o)); u != nil && !known[u] {
			known[u] = true
			members = append(members, u)
		}
	}
	return members, nil
}

func text(a attr) (string, *failure) {
	s, ok := a.Value.(string)
	if !ok {
		return "", expected(a.Name, "string", a.Value)
	}
	return s, nil
}

func boolean(a attr, lenient bool) (bool, *failure) {
	if b, ok := a.Value.(bool); ok {
		return b, nil
	}
	if s, ok := a.Value.(string); ok && lenient {
		switch strings.ToLower(s) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, expected(a.Name, "boolean", a.Value)
}

func expected(name, kind string, got any) *failure {
	return fail(400, "invalidSyntax", "'%s' is expected %s, received %s", name, kind, kindOf(got))
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case object:
		return "object"
	case []any:
		return "array"
	}
	return "number"
}

// refuseNulls returns an error if v contains a null.
func refuseNulls(v any, path string) *failure {
	switch v := v.(type) {
	case nil:
		return expected(path, "string", nil)
	case object:
		for _, a := range v {
			at := a.Name
			if path != "" {
				at = path + "." + a.Name
			}
			if f := refuseNulls(a.Value, at); f != nil {
				return f
			}
		}
	case []any:
		for i, e := range v {
			if f := refuseNulls(e, fmt.Sprintf("%s.%d", path, i)); f != nil {
				return f
			}
		}
	}
	return nil
}

func checkSchemas(v any, want string) *failure {
	if slices.ContainsFunc(scim.Elements(v), func(s any) bool { t, ok := s.(string); return ok && strings.EqualFold(t, want) }) {
		return nil
	}
	return fail(400, "invalidSyntax", "schemas does not contain %q", want)
}
