package report

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"baton"
	"baton/c1z"
)

// JSONLines writes everything as JSON objects, one per line. The field "record" is the kind: report,
// resource_type, resource, entitlement, grant, note or change. Together they contain everything that this
// program reads from a file.
func JSONLines(ctx context.Context, w io.Writer, o Options) error {
	return records(ctx, w, o, "", "\n", "")
}

// JSON writes the same objects as one array.
func JSON(ctx context.Context, w io.Writer, o Options) error {
	return records(ctx, w, o, "[\n", ",\n", "\n]\n")
}

func records(ctx context.Context, w io.Writer, o Options, begin, between, end string) error {
	out := bufio.NewWriterSize(w, 1<<16)
	first := true
	emit := func(v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return baton.Errorf(baton.Internal, "report: encode: %w", err)
		}
		separator := begin
		if !first {
			separator = between
		}
		first = false
		if _, err := out.WriteString(separator); err != nil {
			return written(err)
		}
		_, err = out.Write(plain(text))
		return written(err)
	}
	if err := emitAll(ctx, o, emit); err != nil {
		return err
	}
	if end == "" {
		end = between
	}
	if _, err := out.WriteString(end); err != nil {
		return written(err)
	}
	return written(out.Flush())
}

// plain escapes characters that control a terminal. For a JSON reader the text is the same.
func plain(text []byte) []byte {
	clean := true
	for _, r := range string(text) {
		if hidden(r) || r == '\u200d' || r == '\u200c' {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case !hidden(r) && r != '\u200d' && r != '\u200c':
			out = append(out, text[:n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}

// emitAll emits all records: the report, then the content of the sync, then the changes.
func emitAll(ctx context.Context, o Options, emit func(any) error) error {
	b, err := read(ctx, o)
	if err != nil {
		return err
	}
	if err := emit(b.reportRecord()); err != nil {
		return err
	}
	for _, t := range b.after.types {
		if err := emit(typeRecord{Record: "resource_type", ID: t.ID, Name: t.DisplayName, Description: t.Description, Traits: traits(t.Traits)}); err != nil {
			return err
		}
	}
	for r, err := range o.After.Resources(ctx) {
		if err != nil {
			return err
		}
		record := recordOf(&r.Resource)
		if i, ok := b.after.byID[r.ID]; ok {
			record.Role = roleText(b.after.roles, b.after.members[i].roles)
		}
		record.Record = "resource"
		if err := emit(record); err != nil {
			return err
		}
	}
	for e, err := range o.After.Entitlements(ctx) {
		if err == nil {
			err = emit(struct {
				Record string `json:"record"`
				entitlementRecord
			}{"entitlement", entitlementOf(&e)})
		}
		if err != nil {
			return err
		}
	}
	for g, err := range o.After.Grants(ctx) {
		if err == nil {
			err = emit(struct {
				Record string `json:"record"`
				grantRecord
			}{"grant", grantOf(&g)})
		}
		if err != nil {
			return err
		}
	}
	for _, n := range b.after.notes {
		if err := emit(noteRecord{"note", n.Level.String(), n.Label, n.Text}); err != nil {
			return err
		}
	}
	if b.before == nil {
		return nil
	}
	_, err = compareSyncs(ctx, b.after.connector, b.before, b.after, func(ch change) error { return emit(b.changeRecord(ch)) })
	return err
}

type reportRecord struct {
	Record    string        `json:"record"`
	Program   string        `json:"program"`
	Connector string        `json:"connector,omitempty"` // connector that wrote the file, if recognised
	Tenant    string        `json:"tenant,omitempty"`    // the domain of most accounts
	File      sourceRecord  `json:"file"`
	Sync      syncRecord    `json:"sync"`
	Syncs     []syncRecord  `json:"syncs_in_file"`
	Compared  *comparedWith `json:"compared_with,omitempty"`
	Counts    []countRecord `json:"counts"`
}

type comparedWith struct {
	File sourceRecord `json:"file"`
	Sync syncRecord   `json:"sync"`
}

type sourceRecord struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

type syncRecord struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
}

type countRecord struct {
	Type         string `json:"resource_type"`
	Resources    int    `json:"resources"`
	Entitlements int    `json:"entitlements"`
	Grants       int    `json:"grants"`
}

type typeRecord struct {
	Record      string   `json:"record"`
	ID          string   `json:"id"`
	Name        string   `json:"display_name"`
	Description string   `json:"description,omitempty"`
	Traits      []string `json:"traits,omitempty"`
}

type resourceRecord struct {
	Record      string        `json:"record,omitempty"`
	ID          string        `json:"id"`
	Type        string        `json:"resource_type"`
	Resource    string        `json:"resource"`
	Name        string        `json:"display_name"`
	Description string        `json:"description,omitempty"`
	Parent      string        `json:"parent,omitempty"`
	Status      string        `json:"status,omitempty"`
	Created     time.Time     `json:"created_at,omitzero"`
	Role        string        `json:"role,omitempty"`
	User        *userRecord   `json:"user,omitempty"`
	Profile     baton.Profile `json:"profile,omitempty"`
}

type userRecord struct {
	Emails      []emailRecord `json:"emails,omitempty"`
	Login       string        `json:"login,omitempty"`
	Aliases     []string      `json:"login_aliases,omitempty"`
	Given       string        `json:"given_name,omitempty"`
	Middle      []string      `json:"middle_names,omitempty"`
	Family      string        `json:"family_name,omitempty"`
	EmployeeIDs []string      `json:"employee_ids,omitempty"`
	LastLogin   time.Time     `json:"last_login,omitzero"`
}

type emailRecord struct {
	Address string `json:"address"`
	Primary bool   `json:"primary,omitempty"`
}

type entitlementRecord struct {
	ID          string   `json:"id"`
	Resource    string   `json:"resource"`
	OfResource  string   `json:"resource_name,omitempty"`
	Slug        string   `json:"slug"`
	Name        string   `json:"display_name"`
	Description string   `json:"description,omitempty"`
	Purpose     int      `json:"purpose,omitempty"`
	GrantableTo []string `json:"grantable_to,omitempty"`
}

type grantRecord struct {
	ID          string        `json:"id"`
	Entitlement string        `json:"entitlement"`
	Principal   string        `json:"principal"`
	OfResource  string        `json:"resource_name,omitempty"`
	Metadata    baton.Profile `json:"metadata,omitempty"`
}

type noteRecord struct {
	Record string `json:"record"`
	Level  string `json:"level"`
	Label  string `json:"label"`
	Text   string `json:"text"`
}

type changeRecord struct {
	Record     string            `json:"record"`
	Change     string            `json:"change"`
	Of         string            `json:"of"`
	ID         string            `json:"id"`
	Name       string            `json:"name,omitempty"`
	Account    string            `json:"account,omitempty"`
	Attributes []attributeRecord `json:"attributes,omitempty"`
	CameWith   string            `json:"came_with,omitempty"`
	Before     any               `json:"before,omitempty"`
	After      any               `json:"after,omitempty"`
}

type attributeRecord struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func (b *builder) reportRecord() reportRecord {
	o := b.o
	r := reportRecord{Record: "report", Program: o.Program, Connector: b.after.connector.Name, Tenant: b.after.tenant(), File: sourceRecord(o.AfterSource), Sync: syncOf(o.After)}
	for _, s := range o.After.File().Syncs() {
		r.Syncs = append(r.Syncs, syncOf(s))
	}
	for _, c := range b.after.counts {
		r.Counts = append(r.Counts, countRecord(c))
	}
	if o.Before != nil {
		r.Compared = &comparedWith{sourceRecord(o.BeforeSource), syncOf(o.Before)}
	}
	return r
}

func syncOf(s *c1z.Sync) syncRecord { return syncRecord{s.ID, s.Type, s.Started, s.Ended} }

func traits(list []baton.Trait) (names []string) {
	known := map[baton.Trait]string{baton.TraitUser: "user", baton.TraitGroup: "group", baton.TraitRole: "role", baton.TraitApp: "app"}
	for _, t := range list {
		name := known[t]
		if name == "" {
			name = fmt.Sprint(int(t))
		}
		names = append(names, name)
	}
	return names
}

func recordOf(r *baton.Resource) resourceRecord {
	record := resourceRecord{ID: r.ID.String(), Type: r.ID.Type, Resource: r.ID.ID, Name: r.DisplayName, Description: r.Description,
		Created: r.CreatedAt, Profile: encodable(r.Profile)}
	if r.Status != baton.StatusUnspecified {
		record.Status = statusWord(r.Status)
	}
	if r.Parent != (baton.ResourceID{}) {
		record.Parent = r.Parent.String()
	}
	if u := r.User; u != nil {
		record.User = &userRecord{Login: u.Login, Aliases: u.LoginAliases, Given: u.GivenName, Middle: u.MiddleNames, Family: u.FamilyName,
			EmployeeIDs: u.EmployeeIDs, LastLogin: u.LastLogin}
		for _, e := range u.Emails {
			record.User.Emails = append(record.User.Emails, emailRecord(e))
		}
	}
	return record
}

// encodable returns the profile with NaN and infinities, which JSON does not have, as text.
func encodable(p baton.Profile) baton.Profile {
	out := make(baton.Profile, len(p))
	for key, value := range p {
		switch v := value.(type) {
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				value = fmt.Sprint(v)
			}
		case baton.Profile:
			value = encodable(v)
		}
		out[key] = value
	}
	return out
}

func entitlementOf(e *c1z.Entitlement) entitlementRecord {
	return entitlementRecord{e.ID, e.Resource.String(), e.ResourceName, e.Slug, e.DisplayName, e.Description, int(e.Purpose), e.GrantableTo}
}

func grantOf(g *c1z.Grant) grantRecord {
	return grantRecord{g.ID, g.Entitlement, g.Principal.String(), g.ResourceName, encodable(g.Metadata)}
}

func (b *builder) changeRecord(ch change) changeRecord {
	r := changeRecord{Record: "change", Change: ch.kind, CameWith: ch.why}
	var account baton.ResourceID
	r.Of, r.ID, r.Name, account = b.changed(ch)
	if account != (baton.ResourceID{}) {
		r.Account = account.String()
	}
	for _, a := range ch.attributes {
		r.Attributes = append(r.Attributes, attributeRecord{a.name, a.before, a.after})
	}
	sides := [2]any{}
	for i := range sides {
		switch {
		case ch.resource[i] != nil:
			sides[i] = recordOf(ch.resource[i])
		case ch.entitlement[i] != nil:
			sides[i] = entitlementOf(ch.entitlement[i])
		case ch.grant[i] != nil:
			sides[i] = grantOf(ch.grant[i])
		}
	}
	r.Before, r.After = sides[0], sides[1]
	return r
}
