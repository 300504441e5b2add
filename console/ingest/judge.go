package ingest

import (
	"context"
	"maps"
	"slices"
	"time"

	"baton/console"
	"baton/console/store"
)

// judge returns the reasons to hold the sync.
func (in *Ingester) judge(ctx context.Context, d *delta) ([]console.Hold, error) {
	v := console.SyncView{First: d.st.Head == 0, Grants: d.read, Dangling: d.counts.Dangling, Example: d.example, Stated: d.stated.Resources + d.stated.Entitlements + d.stated.Grants, Missing: d.counts.Missing}
	if !d.targeted {
		v.Before, v.After = d.headByType, d.fileByType
		v.AccountsHead, v.AccountsKept = d.headRows, d.keptRows
	}
	var admins, after console.Admins
	err := in.Store.View(ctx, func(t *store.Tx) error {
		c, err := t.Connector(d.st.Sync.Connector)
		if err != nil {
			return err
		}
		live, err := t.HasLiveSync(d.st.Sync.Stream)
		if err != nil {
			return err
		}
		v.UploadBeside = d.st.Sync.Kind == console.SyncUpload && (live || c.Hosting != console.ByFile)
		now, err := t.Moment(c.App, time.Time{})
		if err != nil {
			return err
		}
		if admins, err = t.AdminsAt(c.App, now); err != nil {
			return err
		}
		if !d.targeted {
			head, err := t.HeadSync(d.st.Sync.Stream)
			if err != nil {
				return err
			}
			v.Before, v.After = maps.Clone(v.Before), maps.Clone(v.After)
			v.After["grants"] = d.counts.Facts
			if head != nil {
				shown, err := t.CountsAt(head.Stream, head.Number)
				if err != nil {
					return err
				}
				v.Before["grants"] = shown.Facts
				if v.Removed, err = t.PendingRemovals(c.ID); err != nil {
					return err
				}
			}
			pauses, err := t.Pauses()
			if err != nil {
				return err
			}
			v.Restored = pauses.BeforeCopy(head)
		}
		after, err = d.admins(t, admins)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.Minimum, v.AdminsBefore, v.AdminsAfter = admins.Minimum, admins.Count(), after.Count()
	policy := in.Policy
	if policy == (console.HoldPolicy{}) {
		policy = console.DefaultHoldPolicy
	}
	return console.Holds(v, policy), nil
}

// admins returns the data for the minimum of administrators as if the sync were applied.
func (d *delta) admins(t *store.Tx, before console.Admins) (console.Admins, error) {
	after := before
	after.Holders = nil
	entitlements := before.Roles.Entitlements()
	var admin []console.EntitlementKey
	for _, r := range before.Roles.Roles {
		if r.Admin {
			admin = append(admin, r.Entitlements...)
		}
	}
	ours := map[console.EntitlementKey]bool{} // role entitlements that this sync covers
	held := map[console.ResourceKey][]console.EntitlementKey{}
	number := map[console.ResourceKey]int{}
	for i := range d.entitlement {
		e := &d.entitlement[i]
		if slices.Contains(entitlements, e.key) && e.key != 0 {
			ours[e.key] = e.inScope
		}
	}
	for _, g := range d.grants {
		e := &d.entitlement[g.entitlement]
		if ours[e.key] {
			key := d.resource[g.principal].key
			held[key], number[key] = append(held[key], e.key), int(g.principal)
		}
	}
	for _, h := range before.Holders {
		kept := slices.DeleteFunc(slices.Clone(h.Held), func(e console.EntitlementKey) bool { return ours[e] })
		h.Held = append(kept, held[h.Account]...)
		if n, ok := number[h.Account]; ok && d.resource[n].inFile {
			h.Enabled = console.HasAccount(true, console.Status(d.resource[n].status))
			h.Kind = console.AccountKind(d.resource[n].kind)
		}
		delete(held, h.Account)
		after.Holders = append(after.Holders, h)
	}
	for key, entitlements := range held {
		if !slices.ContainsFunc(entitlements, func(e console.EntitlementKey) bool { return slices.Contains(admin, e) }) {
			continue // skipped: a role that everybody has may have very many holders
		}
		r := d.resource[number[key]]
		h := console.RoleHolder{Account: key, Held: entitlements, Kind: console.AccountKind(r.kind), Enabled: console.HasAccount(true, console.Status(r.status))}
		if !r.fresh {
			said, err := t.AccountKind(key, time.Time{})
			if err != nil {
				return after, err
			}
			h.Said = said.Kind
			if h.Person, h.PersonActive, err = t.AccountPerson(key, time.Time{}); err != nil {
				return after, err
			}
		}
		after.Holders = append(after.Holders, h)
	}
	return after, nil
}
