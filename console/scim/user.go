package scim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/internal/scim"
)

// The attributes of users that are kept, as [schemas] lists them. Others are ignored: the console keeps
// what it uses or shows, and no passwords, telephone numbers or private addresses.
var (
	texts           = []string{"displayName", "nickName", "title", "userType", "preferredLanguage", "locale", "timezone"}
	nameParts       = []string{"formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"}
	emailParts      = []string{"value", "display", "type", "primary"}
	enterpriseTexts = []string{"employeeNumber", "costCenter", "organization", "division", "department"}
	managerParts    = []string{"value", "displayName"}
)

// The limits of a user.
const (
	maxText     = 1000 // bytes
	maxEmails   = 50
	maxDocument = 32 << 10 // bytes of JSON
)

// kept reports whether an attribute of a user is kept.
func kept(p scim.Path) bool {
	is := func(name string) bool { return strings.EqualFold(name, p.Attr) }
	if is("userName") || is("externalId") || is("active") || is("name") || is("emails") || is("schemas") {
		return true
	}
	if is(scim.EnterpriseURN) {
		return p.Sub == "" || strings.EqualFold(p.Sub, "manager") || slices.ContainsFunc(enterpriseTexts, func(s string) bool { return strings.EqualFold(s, p.Sub) })
	}
	return slices.ContainsFunc(texts, is)
}

// user reads the attributes that are kept from a document. before is the state that is changed; its zero
// value is for a new user.
func user(doc scim.Object, before console.SCIMUser) (console.SCIMUser, error) {
	u := before
	r := &reader{}
	out := scim.Object{}
	put := func(name string, value any) {
		if value != nil {
			out.Set(name, value)
		}
	}
	userName := strings.TrimSpace(r.text(doc.Get("userName"), "userName"))
	externalID := r.text(doc.Get("externalId"), "externalId")
	active, said := r.boolean(doc.Get("active"), "active")
	if !said { // not mentioned is no change
		active = before.Version == 0 || before.Entry.Status == console.PersonActive
	}
	put("externalId", optional(externalID))
	put("userName", optional(userName))
	for _, name := range texts {
		put(name, optional(r.text(doc.Get(name), name)))
	}
	name := r.parts(doc.Get("name"), "name", nameParts)
	if len(name) > 0 {
		put("name", name)
	}
	emails := r.emails(doc.Get("emails"))
	if len(emails) > 0 {
		put("emails", emails)
	}
	put("active", active)
	extension := r.enterprise(doc.Get(scim.EnterpriseURN))
	if len(extension) > 0 {
		put(scim.EnterpriseURN, extension)
	}
	if r.err != nil {
		return u, r.err
	}
	if userName == "" {
		return u, invalid("userName is required")
	}
	document, err := json.Marshal(out)
	if err != nil {
		return u, baton.Errorf(baton.Internal, "encode a user: %w", err)
	}
	if len(document) > maxDocument {
		return u, invalid("the user has more than %d bytes", maxDocument)
	}
	u.UserName, u.ExternalID, u.Document = console.SCIMName(userName), externalID, document
	u.Addresses, u.Entry = entry(out, active)
	return u, nil
}

// entry returns what a user says about the person, by the rules for accounts of directories, and all
// addresses for look-ups.
func entry(doc scim.Object, active bool) (addresses []string, e console.DirectoryEntry) {
	text := func(o scim.Object, name string) string {
		s, _ := o.Get(name).(string)
		return s
	}
	name, _ := doc.Get("name").(scim.Object)
	extension, _ := doc.Get(scim.EnterpriseURN).(scim.Object)
	manager, _ := extension.Get("manager").(scim.Object)
	a := console.Account{Login: text(doc, "userName"), GivenName: text(name, "givenName"), FamilyName: text(name, "familyName"), Department: text(extension, "department"), Manager: text(manager, "value")}
	for _, v := range scim.Elements(doc.Get("emails")) {
		o, _ := v.(scim.Object)
		address := text(o, "value")
		if o.Get("primary") == true {
			a.Emails = slices.Insert(a.Emails, 0, address)
		} else {
			a.Emails = append(a.Emails, address)
		}
		addresses = append(addresses, console.SCIMName(address))
	}
	r := console.Resource{ID: a.Login, Name: text(doc, "displayName"), Status: console.StatusEnabled, Account: &a}
	if r.Name == "" {
		r.Name = text(name, "formatted")
	}
	if !active {
		r.Status = console.StatusDisabled
	}
	return addresses, directory.EntryOf(r)
}

func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// reader reads values leniently where Okta and Entra differ from the standard, and keeps the first error.
type reader struct{ err error }

func (r *reader) wrong(name, want string) {
	if r.err == nil {
		r.err = invalid("%s must be %s", name, want)
	}
}

// text reads a string; null and "" are no value.
func (r *reader) text(v any, name string) string {
	s, ok := v.(string)
	switch {
	case v != nil && !ok:
		r.wrong(name, "a string")
	case len(s) > maxText:
		r.wrong(name, "shorter")
	}
	return s
}

// boolean reads true or false, also in quotes, as Entra writes them. said is false for no value.
func (r *reader) boolean(v any, name string) (value, said bool) {
	switch v := v.(type) {
	case nil:
		return false, false
	case bool:
		return v, true
	case string:
		if strings.EqualFold(v, "true") || strings.EqualFold(v, "false") {
			return strings.EqualFold(v, "true"), true
		}
	}
	r.wrong(name, "true or false")
	return false, false
}

// parts reads the strings of a complex value.
func (r *reader) parts(v any, name string, parts []string) scim.Object {
	o, ok := v.(scim.Object)
	if v != nil && !ok {
		r.wrong(name, "an object")
	}
	var out scim.Object
	for _, part := range parts {
		if s := r.text(o.Get(part), name+"."+part); s != "" {
			out.Set(part, s)
		}
	}
	return out
}

// emails reads the addresses that have a value. At most one is primary: the last that says so.
func (r *reader) emails(v any) (all []any) {
	list := scim.Elements(v)
	if len(list) > maxEmails {
		r.wrong("emails", "fewer")
		return nil
	}
	for _, v := range list {
		if s, ok := v.(string); ok {
			v = scim.Object{{"value", s}}
		}
		o, ok := v.(scim.Object)
		if !ok {
			r.wrong("emails", "a list of objects")
			return nil
		}
		var out scim.Object
		for _, part := range emailParts {
			if part == "primary" {
				continue
			}
			if s := strings.TrimSpace(r.text(o.Get(part), "emails."+part)); s != "" {
				out.Set(part, s)
			}
		}
		if out.Get("value") == nil {
			continue
		}
		if primary, said := r.boolean(o.Get("primary"), "emails.primary"); said {
			if primary {
				for _, other := range all {
					if other := other.(scim.Object); other.Get("primary") == true {
						other.Set("primary", false)
					}
				}
			}
			out.Set("primary", primary)
		}
		all = append(all, out)
	}
	return all
}

// enterprise reads the extension (RFC 7643 section 4.3). A manager is an object, an id, or a list of one
// of these.
func (r *reader) enterprise(v any) scim.Object {
	out := r.parts(v, "the enterprise extension", enterpriseTexts)
	o, _ := v.(scim.Object)
	manager := o.Get("manager")
	if l, ok := manager.([]any); ok {
		if manager = nil; len(l) == 1 {
			manager = l[0]
		} else if len(l) > 1 {
			r.wrong("manager", "one")
		}
	}
	if s, ok := manager.(string); ok {
		manager = scim.Object{{"value", s}}
	}
	m := r.parts(manager, "manager", managerParts)
	if o, ok := manager.(scim.Object); ok && m.Get("value") == nil {
		if ref := r.text(o.Get("$ref"), "manager.$ref"); ref != "" {
			m = append(scim.Object{{"value", ref[strings.LastIndexByte(ref, '/')+1:]}}, m...)
		}
	}
	if m.Get("value") != nil && m.Get("value") != "" {
		out.Set("manager", m)
	}
	return out
}

// stored returns the attributes of a user that the identity provider set.
func stored(u console.SCIMUser) (scim.Object, error) {
	v, err := scim.Parse(u.Document)
	if err != nil {
		return nil, baton.Errorf(baton.Corrupt, "user %s: %w", u.ID, err)
	}
	o, _ := v.(scim.Object)
	return o, nil
}

// userOrder is the order in which the attributes of a user are written.
var userOrder = slices.Concat([]string{"externalId", "userName", "name"}, texts, []string{"emails", "active", scim.EnterpriseURN})

// userDocument returns a user as the server shows it.
func (c *call) userDocument(u console.SCIMUser) (scim.Object, error) {
	attributes, err := stored(u)
	if err != nil {
		return nil, err
	}
	urns := []any{scim.UserURN}
	if attributes.Find(scim.EnterpriseURN) >= 0 {
		urns = append(urns, scim.EnterpriseURN)
	}
	o := scim.Object{{"schemas", urns}, {"id", string(u.ID)}}
	for _, name := range userOrder {
		if v := attributes.Get(name); v != nil {
			o = append(o, scim.Attr{Name: name, Value: v})
		}
	}
	if c.fields.Wants("groups") {
		groups, more, err := c.Console.GroupsOfPushed(c.ctx(), c.pusher, u.Key)
		if err != nil {
			return nil, err
		}
		if !more { // no groups at all say nothing, some would be taken for all
			o.Set("groups", c.groupList(groups))
		}
	}
	o.Set("meta", meta("User", c.base+"/Users/"+string(u.ID), u.Created, u.Modified, u.Version))
	return o, nil
}

func (c *call) groupList(groups []console.SCIMGroup) []any {
	all := make([]any, 0, len(groups))
	for _, g := range groups {
		all = append(all, scim.Object{{"value", string(g.ID)}, {"$ref", c.base + "/Groups/" + string(g.ID)}, {"display", g.Name}, {"type", "direct"}})
	}
	return all
}

func (c *call) showUser(status int, u console.SCIMUser) error {
	o, err := c.userDocument(u)
	if err != nil {
		return err
	}
	return c.resource(status, o, u.Version)
}

func getUser(c *call) error {
	u, err := c.Console.PushedUser(c.ctx(), c.pusher, c.object())
	if err != nil || c.unchanged(u.Version) {
		return err
	}
	return c.showUser(http.StatusOK, u)
}

func createUser(c *call) error {
	doc, err := c.body()
	if err != nil {
		return err
	}
	u, err := user(doc, console.SCIMUser{})
	if err != nil {
		return err
	}
	if u, err = c.Console.PushUser(c.ctx(), c.pusher, u); err != nil {
		return err
	}
	return c.showUser(http.StatusCreated, u)
}

func replaceUser(c *call) error {
	doc, err := c.body()
	if err != nil {
		return err
	}
	return c.changeUser(func(before console.SCIMUser) (console.SCIMUser, error) { return user(doc, before) })
}

func patchUser(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	ops, problem := operations(body)
	if problem != nil {
		return problem
	}
	return c.changeUser(func(before console.SCIMUser) (console.SCIMUser, error) { return patched(ops, before) })
}

// patched returns a user after the operations of a PATCH.
func patched(ops []scim.Operation, before console.SCIMUser) (console.SCIMUser, error) {
	doc, err := stored(before)
	if err != nil {
		return before, err
	}
	p := &scim.Patcher{Doc: doc, Skip: func(path scim.Path) bool { return !kept(path) }}
	for _, op := range ops {
		op.Value = clone(op.Value)
		if op.Path != nil && op.Op != "remove" && op.HasValue && op.Value == nil { // null is no value
			op.Op, op.HasValue = "remove", false
		}
		if err := p.Apply(op); err != nil {
			return before, err
		}
	}
	return user(p.Doc, before)
}

// clone copies a value: the operations may be applied more than once.
func clone(v any) any { return scim.Object{{"", v}}.Clone()[0].Value }

// maxOperations limits the operations of a PATCH.
const maxOperations = 1000

func operations(body scim.Object) ([]scim.Operation, error) {
	ops, err := scim.ParsePatch(body)
	if err != nil {
		return nil, err
	}
	if len(ops) > maxOperations {
		return nil, &scim.Error{Type: "tooMany", Detail: "the request has too many operations"}
	}
	return ops, nil
}

func (c *call) changeUser(change func(console.SCIMUser) (console.SCIMUser, error)) error {
	u, err := c.Console.ChangePushedUser(c.ctx(), c.pusher, c.object(), func(before console.SCIMUser) (console.SCIMUser, error) {
		if err := c.precondition(before.Version); err != nil {
			return before, err
		}
		return change(before)
	})
	if err != nil {
		return err
	}
	return c.showUser(http.StatusOK, u)
}

func deleteUser(c *call) error {
	err := c.Console.EndPushedUser(c.ctx(), c.pusher, c.object(), func(u console.SCIMUser) error { return c.precondition(u.Version) })
	if err == nil {
		c.w.WriteHeader(http.StatusNoContent)
	}
	return err
}
