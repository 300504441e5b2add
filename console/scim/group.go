package scim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"baton/console"
	"baton/console/govern"
	"baton/internal/scim"
)

// group reads the name and the external id of a group from a document.
func group(doc scim.Object, before console.SCIMGroup) (console.SCIMGroup, error) {
	g, r := before, &reader{}
	g.Name, g.ExternalID = strings.TrimSpace(r.text(doc.Get("displayName"), "displayName")), r.text(doc.Get("externalId"), "externalId")
	if r.err == nil && g.Name == "" {
		r.err = invalid("displayName is required")
	}
	return g, r.err
}

// memberIDs reads the ids of members. Members of an unknown type are no users.
func memberIDs(v any) ([]console.ID, error) {
	list := scim.Elements(v)
	ids := make([]console.ID, 0, len(list))
	for _, v := range list {
		if o, ok := v.(scim.Object); ok {
			if typ, _ := o.Get("type").(string); typ != "" && !strings.EqualFold(typ, "User") {
				return nil, invalid("a member has the type %.64q; the console keeps users as members", typ)
			}
			v = o.Get("value")
		}
		id, ok := v.(string)
		if !ok || id == "" {
			return nil, invalid("a member has no value")
		}
		ids = append(ids, console.ID(id))
	}
	return ids, nil
}

// groupDocument returns a group as the server shows it, without members.
func (c *call) groupDocument(g console.SCIMGroup) scim.Object {
	o := scim.Object{{"schemas", []any{scim.GroupURN}}, {"id", string(g.ID)}}
	if g.ExternalID != "" {
		o.Set("externalId", g.ExternalID)
	}
	o.Set("displayName", g.Name)
	o.Set("meta", meta("Group", c.base+"/Groups/"+string(g.ID), g.Created, g.Modified, g.Version))
	return o
}

// memberPage is how many members are read and written at once: a group can have any number of them.
const memberPage = 500

// flushSize is how much is written before it is sent.
const flushSize = 64 << 10

// writeGroup writes a group and its members. The first page of members is read before anything is
// written, so that an error can still be answered.
func (c *call) writeGroup(w *bytes.Buffer, g console.SCIMGroup, flush func() error) error {
	b, err := json.Marshal(c.fields.Apply(c.groupDocument(g)))
	if err != nil {
		return err
	}
	if !c.fields.Wants("members") {
		w.Write(b)
		return nil
	}
	w.Write(b[:len(b)-1])
	w.WriteString(`,"members":[`)
	for after, first := console.ResourceKey(0), true; ; {
		page, err := c.Console.PushedMembers(c.ctx(), c.pusher, g.ID, after, memberPage)
		if err != nil {
			return err
		}
		for _, m := range page {
			after = m.Key
			b, err := json.Marshal(scim.Object{{"value", string(m.ID)}, {"$ref", c.base + "/Users/" + string(m.ID)}, {"display", m.Name}, {"type", "User"}})
			if err != nil {
				return err
			}
			if !first {
				w.WriteByte(',')
			}
			w.Write(b)
			first = false
		}
		if w.Len() >= flushSize {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(page) < memberPage {
			break
		}
	}
	w.WriteString(`]}`)
	return nil
}

// stream responds with JSON that write writes in pieces. flush sends what was written so far.
func (c *call) stream(status int, write func(w *bytes.Buffer, flush func() error) error) error {
	var w bytes.Buffer
	flush := func() error {
		if !c.sent {
			c.w.Header().Set("Content-Type", contentType)
			c.w.WriteHeader(status)
			c.sent = true
		}
		_, err := w.WriteTo(c.w)
		w.Reset()
		return err
	}
	if err := write(&w, flush); err != nil {
		return err
	}
	flush() // an error means that the client is gone
	return nil
}

func (c *call) showGroup(status int, g console.SCIMGroup) error {
	c.w.Header().Set("ETag", etag(g.Version))
	if status == http.StatusCreated {
		c.w.Header().Set("Location", c.base+"/Groups/"+string(g.ID))
	}
	return c.stream(status, func(w *bytes.Buffer, flush func() error) error { return c.writeGroup(w, g, flush) })
}

func getGroup(c *call) error {
	g, err := c.Console.PushedGroup(c.ctx(), c.pusher, c.object())
	if err != nil || c.unchanged(g.Version) {
		return err
	}
	return c.showGroup(http.StatusOK, g)
}

func createGroup(c *call) error {
	doc, err := c.body()
	if err != nil {
		return err
	}
	g, err := group(doc, console.SCIMGroup{})
	if err != nil {
		return err
	}
	members, err := memberIDs(doc.Get("members"))
	if err != nil {
		return err
	}
	if g, err = c.Console.PushGroup(c.ctx(), c.pusher, g, members); err != nil {
		return err
	}
	return c.showGroup(http.StatusCreated, g)
}

// replaceGroup sets a group. Members that are not mentioned stay: whether the sender means that there
// are none is unknown.
func replaceGroup(c *call) error {
	doc, err := c.body()
	if err != nil {
		return err
	}
	var changes []govern.MemberChange
	if doc.Find("members") >= 0 {
		ids, err := memberIDs(doc.Get("members"))
		if err != nil {
			return err
		}
		changes = append(changes, govern.MemberChange{Op: govern.SetMembers, IDs: ids})
	}
	return c.changeGroup(func(before console.SCIMGroup) (console.SCIMGroup, []govern.MemberChange, error) {
		g, err := group(doc, before)
		return g, changes, err
	})
}

func patchGroup(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	ops, err := operations(body)
	if err != nil {
		return err
	}
	rest, changes, err := memberChanges(ops)
	if err != nil {
		return err
	}
	err = c.changeGroup(func(before console.SCIMGroup) (console.SCIMGroup, []govern.MemberChange, error) {
		p := &scim.Patcher{Doc: scim.Object{{"displayName", before.Name}, {"externalId", before.ExternalID}}, Skip: func(path scim.Path) bool {
			return !strings.EqualFold(path.Attr, "displayName") && !strings.EqualFold(path.Attr, "externalId")
		}}
		for _, op := range rest {
			op.Value = clone(op.Value)
			if op.Path != nil && op.Op != "remove" && op.HasValue && op.Value == nil { // null is no value
				op.Op, op.HasValue = "remove", false
			}
			if err := p.Apply(op); err != nil {
				return before, nil, err
			}
		}
		g, err := group(p.Doc, before)
		return g, changes, err
	})
	return err
}

// memberChanges splits the operations of a PATCH into those on members and the others. A group can have
// too many members to apply operations to a document that contains them.
func memberChanges(ops []scim.Operation) (rest []scim.Operation, changes []govern.MemberChange, err error) {
	for _, op := range ops {
		if op.Path == nil {
			values, ok := op.Value.(scim.Object)
			if i := values.Find("members"); ok && i >= 0 && op.Op != "remove" {
				change, err := memberChange(scim.Operation{Op: op.Op, Value: values[i].Value, HasValue: true})
				if err != nil {
					return nil, nil, err
				}
				changes = append(changes, change)
				values = slices.Delete(slices.Clone(values), i, i+1)
				op.Value = values
			}
			rest = append(rest, op)
			continue
		}
		if !strings.EqualFold(op.Path.Attr, "members") {
			rest = append(rest, op)
			continue
		}
		change, err := memberChange(op)
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, change)
	}
	return rest, changes, nil
}

// memberChange returns the change of members that an operation makes. Entra lists those to be removed in
// the value.
func memberChange(op scim.Operation) (change govern.MemberChange, err error) {
	if op.Path != nil && op.Path.Filter != nil {
		if op.Op != "remove" || op.Path.Sub != "" {
			return change, &scim.Error{Type: "mutability", Detail: "members chosen by a filter can only be removed"}
		}
		ids, ok := chosen(op.Path.Filter)
		if !ok {
			return change, &scim.Error{Type: "invalidFilter", Detail: `members are chosen by their value only, as in members[value eq "id"]`}
		}
		return govern.MemberChange{Op: govern.RemoveMembers, IDs: ids}, nil
	}
	if op.Path != nil && op.Path.Sub != "" {
		return change, &scim.Error{Type: "mutability", Detail: "parts of members cannot be changed"}
	}
	if !op.HasValue && op.Op != "remove" {
		return change, invalid("%s needs a value", op.Op)
	}
	ids, err := memberIDs(op.Value)
	switch {
	case op.Op == "add":
		change.Op = govern.AddMembers
	case op.Op == "replace" || !op.HasValue: // remove without a value removes all
		change.Op = govern.SetMembers
	default:
		change.Op = govern.RemoveMembers
	}
	change.IDs = ids
	return change, err
}

// chosen returns the ids of a filter of members that compares their value with eq, one or several with
// or.
func chosen(f *scim.Filter) (ids []console.ID, ok bool) {
	for ; f.Op == "or"; f = f.Left {
		right, ok := chosen(f.Right)
		if !ok {
			return nil, false
		}
		ids = append(ids, right...)
	}
	id, text := f.Value.(string)
	return append(ids, console.ID(id)), f.Op == "eq" && text && f.Path.Attr == "value" && f.Path.Sub == ""
}

func (c *call) changeGroup(change func(console.SCIMGroup) (console.SCIMGroup, []govern.MemberChange, error)) error {
	g, err := c.Console.ChangePushedGroup(c.ctx(), c.pusher, c.object(), func(before console.SCIMGroup) (console.SCIMGroup, []govern.MemberChange, error) {
		if err := c.precondition(before.Version); err != nil {
			return before, nil, err
		}
		return change(before)
	})
	if err != nil {
		return err
	}
	if c.r.Method == http.MethodPatch && c.fields.Only == nil && c.fields.Without == nil {
		// A group may be large, and the sender knows what it changed.
		c.w.Header().Set("ETag", etag(g.Version))
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.showGroup(http.StatusOK, g)
}

func deleteGroup(c *call) error {
	err := c.Console.EndPushedGroup(c.ctx(), c.pusher, c.object(), func(g console.SCIMGroup) error { return c.precondition(g.Version) })
	if err == nil {
		c.w.WriteHeader(http.StatusNoContent)
	}
	return err
}
