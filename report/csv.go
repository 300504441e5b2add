package report

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"baton"
)

// A Table is a table that is available as CSV. New columns are only added at the end.
type Table struct {
	Name        string
	Description string
	Columns     []string
	rows        func(ctx context.Context, b *builder, row func(...string) error) error
}

// Tables lists the tables. The first one has every account and every grant.
func Tables() []Table {
	return []Table{
		{"access", "who holds what: a row for each grant, and one for each account that holds nothing",
			[]string{"account_id", "account_type", "account", "email", "status", "role", "resource_type", "resource_id", "resource",
				"entitlement_id", "entitlement", "grant_id", "details"}, accessRows},
		{"accounts", "a row for each account",
			[]string{"account_id", "account_type", "account", "email", "status", "role", "created", "last_login", "grants", "attributes"}, accountRows},
		{"resources", "a row for each thing that can be held on each resource, with the number of its holders",
			[]string{"resource_type", "resource_id", "resource", "status", "created", "entitlement_id", "entitlement", "slug", "holders", "role"}, resourceRows},
		{"changes", "what is not the same in two syncs: a row for each change, and for each attribute that was modified",
			[]string{"change", "of", "id", "name", "account_id", "account", "attribute", "before", "after", "came_with"}, changeRows},
	}
}

// CSV writes a table in the format of RFC 4180, with a header. A cell that a spreadsheet could take
// for a formula gets an apostrophe in front.
func CSV(ctx context.Context, w io.Writer, o Options, table Table) error {
	b, err := read(ctx, o)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(table.Columns); err != nil {
		return written(err)
	}
	cells := make([]string, len(table.Columns))
	err = table.rows(ctx, b, func(values ...string) error {
		for i, v := range values {
			cells[i] = cell(v)
		}
		return written(out.Write(cells))
	})
	if err != nil {
		return err
	}
	out.Flush()
	return written(out.Error())
}

// read reads the syncs of the options.
func read(ctx context.Context, o Options) (b *builder, err error) {
	b = &builder{o: o}
	if b.after, err = populate(ctx, o.Connector, o.After); err == nil && o.Before != nil {
		b.before, err = populate(ctx, o.Connector, o.Before)
	}
	return b, err
}

func accessRows(_ context.Context, b *builder, row func(...string) error) error {
	p := b.after
	for m := range p.people() {
		who := []string{m.id.ID, m.id.Type, m.name, m.email, b.statusText(m), roleText(p.roles, m.roles)}
		if len(m.holds) == 0 {
			if err := row(append(who, "", "", "", "", "", "", "")...); err != nil {
				return err
			}
		}
	}
	// By entitlement, because that is how the population stores the details of grants.
	order := make([]int32, len(p.entitlements))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, p.byWeight)
	for _, i := range order {
		e := &p.entitlements[i]
		for _, h := range e.holders {
			m := &p.members[h.member]
			err := row(m.id.ID, m.id.Type, m.name, m.email, b.statusText(m), roleText(p.roles, m.roles),
				e.resource.Type, e.resource.ID, b.resourceName(e.resource), e.id, e.name,
				p.grantID(e, h), joinPairs(p.details(h)))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// joinPairs returns "key=value; key=value".
func joinPairs(list []string) string {
	var pairs []string
	for i := 0; i+1 < len(list); i += 2 {
		pairs = append(pairs, list[i]+"="+list[i+1])
	}
	return strings.Join(pairs, "; ")
}

// resourceName returns the name of a resource, or "" if the sync does not list it.
func (b *builder) resourceName(id baton.ResourceID) string {
	if t := b.after.resourceOf[id]; t != nil {
		return t.name
	}
	return ""
}

func (b *builder) statusText(m *member) string {
	if !m.listed {
		return "not in this sync"
	}
	return statusWord(m.status)
}

func accountRows(_ context.Context, b *builder, row func(...string) error) error {
	p := b.after
	for m := range p.people() {
		if !m.account {
			continue
		}
		var attributes []string
		for i, col := range p.typeOf(m.id.Type).Columns {
			if i < len(m.cells) && m.cells[i] != "" {
				attributes = append(attributes, col.Key+"="+m.cells[i])
			}
		}
		err := row(m.id.ID, m.id.Type, m.name, m.email, b.statusText(m), roleText(p.roles, m.roles),
			stamp(m.created), stamp(m.login), fmt.Sprint(len(m.holds)), strings.Join(attributes, "; "))
		if err != nil {
			return err
		}
	}
	return nil
}

func resourceRows(_ context.Context, b *builder, row func(...string) error) error {
	p := b.after
	for _, s := range b.resourceTypes() {
		for _, t := range p.resources[s] {
			status := statusWord(t.status)
			if !t.listed {
				status = "not in this sync"
			}
			head := []string{t.id.Type, t.id.ID, t.name, status, stamp(t.created)}
			if len(t.entitlements) == 0 {
				if err := row(append(head, "", "", "", "0", "")...); err != nil {
					return err
				}
			}
			for _, i := range t.entitlements {
				e := &p.entitlements[i]
				if err := row(append(head, e.id, e.name, e.slug, fmt.Sprint(len(e.holders)), roleText(p.roles, e.roles))...); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func changeRows(ctx context.Context, b *builder, row func(...string) error) error {
	if b.before == nil {
		return baton.Errorf(baton.NotFound, "report: there is no previous full sync to compare with").
			WithFix("Name a file to compare with, or sync once more.")
	}
	_, err := compareSyncs(ctx, b.after.connector, b.before, b.after, func(ch change) error {
		of, id, name, account := b.changed(ch)
		who := ""
		if account != (baton.ResourceID{}) {
			who = b.nameOf(account)
		}
		if len(ch.attributes) == 0 {
			return row(ch.kind, of, id, name, account.ID, who, "", "", "", ch.why)
		}
		for _, a := range ch.attributes {
			if err := row(ch.kind, of, id, name, account.ID, who, a.name, a.before, a.after, ch.why); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// changed returns the object of a change and, for a grant, its principal.
func (b *builder) changed(ch change) (of, id, name string, account baton.ResourceID) {
	for _, side := range []int{1, 0} {
		switch {
		case ch.resource[side] != nil:
			r := ch.resource[side]
			return "resource", r.ID.String(), r.DisplayName, baton.ResourceID{}
		case ch.entitlement[side] != nil:
			e := ch.entitlement[side]
			return "entitlement", e.ID, e.DisplayName, baton.ResourceID{}
		case ch.grant[side] != nil:
			g := ch.grant[side]
			return "grant", g.ID, b.entitlementName(g.Entitlement, g.Resource), g.Principal
		}
	}
	return "", "", "", baton.ResourceID{}
}
