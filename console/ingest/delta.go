package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"

	"baton"
	"baton/c1z"
	"baton/console"
	"baton/console/store"
	"baton/console/syncfile"
	"baton/internal/intern"
)

// delta is the difference between the head of a stream and a sync. Resources and entitlements are
// numbered from 0 in the order in which they are read: first those of the head, then new ones in the
// file.
type delta struct {
	st       *store.Staging
	rows     syncfile.Sync
	targeted bool
	counts   console.Counts

	userTypes map[string]bool
	appTypes  map[string]bool

	resources  intern.Table // keys: type and id
	resource   []resource
	returning  map[int]identity // accounts that the stream has shown but the head does not
	headByType map[string]int64
	fileByType map[string]int64
	changed    []c1z.Resource // rows that may differ from the head, while there are few
	rescan     bool           // there are many, so the file is read again
	headRows   int64          // accounts in the head
	keptRows   int64          // of these, accounts in the file

	entitlements intern.Table // ids of entitlements
	entitlement  []entitlement

	sources intern.Table // encoded sets of sources; number 0 is the empty set
	details intern.Table // further attributes of grants; number 0 is none
	grants  []grant      // in the order of the stored facts, each pair once
	read    int64        // grants in the file, dangling ones included
	stated  c1z.Totals   // numbers of rows that the file's writer stated
	example string       // one of the dropped grants
}

// resource holds the data of a resource for the comparison. Its type and id are in delta.resources.
type resource struct {
	key         console.ResourceKey // 0 until it is assigned
	digest      [16]byte            // of its newest stored version
	lastLogin   int64               // of the stored row, in microseconds; 0: none
	incarnation int32
	status      int8  // in the file
	kind        int8  // console.AccountKind, in the file
	parent      int32 // number of the parent plus 1, if the rest of the row is unchanged
	shown       bool  // in the head
	inFile      bool
	fresh       bool // its key is new
	account     bool // in the file, or else in the head
}

// maxID limits the ids of resources (with their type) and of entitlements, in bytes. PostgreSQL
// cannot index more than about 2,700.
const maxID = 2048

// fewChanged is the number of changed resources that are kept in memory.
const fewChanged = 4096

// identity tells whether a reappearing account is the same one.
type identity struct{ known store.KnownResource }

type entitlement struct {
	key      console.EntitlementKey
	digest   [16]byte
	resource int // number of its resource, or -1
	shown    bool
	inFile   bool
	fresh    bool
	inScope  bool // its facts may change in a targeted sync
}

// grant is a fact of the file: numbers of its entitlement and principal.
type grant struct {
	entitlement, principal int32
	sources, detail        int32
	flags                  int8
}

// place appends the key of a resource to buf.
func place(buf []byte, id baton.ResourceID) []byte { return placeOf(buf, id.Type, id.ID) }

func placeOf[T ~string | ~[]byte](buf []byte, typ, id T) []byte {
	buf = binary.AppendUvarint(buf[:0], uint64(len(typ)))
	return append(append(buf, typ...), id...)
}

// readIdentities reads the identities in the head and in the file, and assigns keys to new ones.
func (d *delta) readIdentities(ctx context.Context) error {
	d.headByType, d.fileByType, d.returning = map[string]int64{}, map[string]int64{}, map[int]identity{}
	d.userTypes, d.appTypes = map[string]bool{}, map[string]bool{}
	for t, err := range d.rows.ResourceTypes(ctx) {
		if err != nil {
			return blame(err)
		}
		d.userTypes[t.ID], d.appTypes[t.ID] = slices.Contains(t.Traits, baton.TraitUser), slices.Contains(t.Traits, baton.TraitApp)
	}
	if err := d.knownResources(ctx); err != nil {
		return err
	}
	if err := d.fileResources(ctx); err != nil {
		return err
	}
	if err := d.resourceKeys(ctx); err != nil {
		return err
	}
	return d.readEntitlements(ctx)
}

func (d *delta) knownResources(ctx context.Context) error {
	var buf []byte
	for k, err := range d.st.KnownResources(ctx) {
		if err != nil {
			return err
		}
		buf = place(buf, baton.ResourceID{Type: k.Type, ID: k.ID})
		n, fresh := d.resources.Add(buf)
		if !fresh {
			return baton.Errorf(baton.Internal, "the store lists resource %s:%s twice", k.Type, k.ID)
		}
		d.resource = append(d.resource, resource{key: k.Key, digest: k.Digest, lastLogin: microsOf(k.LastLogin), incarnation: int32(k.Incarnation),
			shown: k.Shown, account: k.Account, status: int8(k.Status)})
		switch {
		case k.Shown:
			d.headByType[k.Type]++
			if k.Account {
				d.headRows++
			}
		case k.Account:
			d.returning[n] = identity{k}
		}
	}
	return nil
}

func (d *delta) fileResources(ctx context.Context) error {
	var buf []byte
	for row, err := range d.rows.Resources(ctx) {
		if err != nil {
			return blame(err)
		}
		if n := len(row.ID.Type) + len(row.ID.ID); n > maxID {
			return unusable("the id of a resource has %d bytes, more than %d: %.40q…", n, maxID, row.ID.String())
		}
		buf = place(buf, row.ID)
		n, ok := d.resources.Find(buf)
		if !ok {
			if d.targeted {
				continue // a targeted sync adds no resources
			}
			n, _ = d.resources.Add(buf)
			d.resource = append(d.resource, resource{fresh: true, incarnation: 1})
		}
		r := &d.resource[n]
		if r.inFile {
			return unusable("the file lists resource %s twice", row.ID)
		}
		if d.targeted && !r.shown {
			continue
		}
		r.inFile = true
		r.status, r.kind = int8(row.Status), int8(accountKind(row.User))
		wasAccount := r.account
		r.account = d.isAccount(row)
		d.counts.Resources++
		d.fileByType[row.ID.Type]++
		if r.account {
			d.counts.Accounts++
		}
		if r.shown && wasAccount {
			d.keptRows++
		}
		if was, ok := d.returning[n]; ok {
			k := was.known
			before := console.Resource{Type: k.Type, ID: k.ID, Created: k.Created, Account: &console.Account{Login: k.Login}}
			if !console.SameAccount(before, d.content(row, r.account)) {
				r.key, r.fresh = 0, true // a different account with the same id
				r.incarnation++
			}
		}
		if !d.targeted {
			buf = d.note(row, r, buf)
		}
	}
	for i := range d.resource {
		// The rows above were compared as if their parents were in the file.
		if p := d.resource[i].parent; p != 0 && !d.resource[p-1].inFile {
			d.rescan = true
		}
	}
	if d.rescan {
		d.changed = nil
	}
	return nil
}

// note compares a row of the file with the head, and keeps it if it differs, to be written when
// everything has a key.
func (d *delta) note(row c1z.Resource, r *resource, buf []byte) []byte {
	if r.shown && !r.fresh {
		c := d.content(row, r.account)
		parent := int32(0)
		if row.Parent != (baton.ResourceID{}) {
			buf = place(buf, row.Parent)
			if p, ok := d.resources.Find(buf); ok {
				parent, c.Parent = int32(p+1), d.resource[p].key
			}
		}
		if resourceChange(*r, c) == 0 {
			r.parent = parent
			return buf
		}
	}
	if d.rescan = d.rescan || len(d.changed) == fewChanged; !d.rescan {
		d.changed = append(d.changed, row)
	}
	return buf
}

// changedRows iterates over the rows of the file that may differ from the head.
func (d *delta) changedRows(ctx context.Context) iter.Seq2[c1z.Resource, error] {
	if d.rescan {
		return d.rows.Resources(ctx)
	}
	return func(yield func(c1z.Resource, error) bool) {
		for _, row := range d.changed {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// isAccount reports whether a resource is an account: it or its type has the user trait.
func (d *delta) isAccount(r c1z.Resource) bool { return r.User != nil || d.userTypes[r.ID.Type] }

// resourceKeys assigns keys to new resources.
func (d *delta) resourceKeys(ctx context.Context) error {
	missing := 0
	for i := range d.resource {
		if d.resource[i].inFile && d.resource[i].key == 0 {
			missing++
		}
	}
	if missing > 0 {
		next, err := d.st.ResourceKeys(ctx, missing)
		if err != nil {
			return err
		}
		for i := range d.resource {
			if r := &d.resource[i]; r.inFile && r.key == 0 {
				r.key = next
				next++
			}
		}
	}
	return nil
}

func (d *delta) readEntitlements(ctx context.Context) error {
	for k, err := range d.st.KnownEntitlements(ctx) {
		if err != nil {
			return err
		}
		d.entitlements.Add([]byte(k.ID))
		d.entitlement = append(d.entitlement, entitlement{key: k.Key, digest: k.Digest, shown: k.Shown, resource: -1})
	}
	missing := 0
	var buf []byte
	for row, err := range d.rows.Entitlements(ctx) {
		if err != nil {
			return blame(err)
		}
		if row.ID == "" {
			return unusable("an entitlement on %s has no id", row.Resource)
		}
		if len(row.ID) > maxID {
			return unusable("the id of an entitlement has %d bytes, more than %d: %.40q…", len(row.ID), maxID, row.ID)
		}
		n, ok := d.entitlements.Find([]byte(row.ID))
		if !ok {
			if d.targeted {
				continue
			}
			n, _ = d.entitlements.Add([]byte(row.ID))
			d.entitlement = append(d.entitlement, entitlement{fresh: true})
			missing++
		}
		e := &d.entitlement[n]
		if e.inFile {
			return unusable("the file lists entitlement %q twice", row.ID)
		}
		if d.targeted && !e.shown {
			continue
		}
		buf = place(buf, row.Resource)
		e.inFile, e.resource = true, -1
		if r, ok := d.resources.Find(buf); ok && d.resource[r].inFile {
			e.resource = r
		}
		d.counts.Entitlements++
	}
	if missing == 0 {
		return nil
	}
	next, err := d.st.EntitlementKeys(ctx, missing)
	if err != nil {
		return err
	}
	for i := range d.entitlement {
		if e := &d.entitlement[i]; e.inFile && e.key == 0 {
			e.key = next
			next++
		}
	}
	return nil
}

// readGrants reads the file's grants. It counts and drops grants whose entitlement or principal is
// not in the sync.
func (d *delta) readGrants(ctx context.Context) error {
	d.sources.Add(nil)
	d.details.Add(nil)
	stated, ok, err := d.rows.Stated(ctx)
	if err != nil {
		return blame(err)
	}
	if ok {
		d.stated = stated
		d.grants = make([]grant, 0, min(max(stated.Grants, 0), mostStated))
	}
	var buf, last []byte
	granted := map[int]bool{} // resources with a grant, for a targeted sync
	e, ok := 0, false
	for row, err := range d.rows.GrantRows(ctx) {
		if err != nil {
			return blame(err)
		}
		d.read++
		if last == nil || !bytes.Equal(row.Entitlement, last) { // avoids a lookup: most files list the grants of one entitlement together
			e, ok = d.entitlements.Find(row.Entitlement)
			ok = ok && d.entitlement[e].inFile
			last = append(last[:0], row.Entitlement...)
		}
		buf = placeOf(buf, row.PrincipalType, row.PrincipalID)
		p, known := d.resources.Find(buf)
		known = known && (d.resource[p].inFile || d.targeted && d.resource[p].shown)
		if !ok || !known {
			d.counts.Dangling++
			if d.example == "" {
				d.example = fmt.Sprintf("%.80q of %.80q", row.Entitlement, string(row.PrincipalType)+":"+string(row.PrincipalID))
			}
			continue
		}
		g := grant{entitlement: int32(e), principal: int32(p)}
		if !row.Plain || !usualID(row) {
			if err := d.attributes(&g, row); err != nil {
				return err
			}
		}
		d.grants = append(d.grants, g)
		if d.targeted && d.entitlement[e].resource >= 0 {
			granted[d.entitlement[e].resource] = true
		}
	}
	for i := range d.entitlement {
		// A targeted sync without grants for a resource proves nothing about it.
		d.entitlement[i].inScope = !d.targeted || d.entitlement[i].inFile && granted[d.entitlement[i].resource]
	}
	d.sortGrants()
	d.counts.Facts = int64(len(d.grants))
	d.reconcile()
	return nil
}

// mostStated limits the memory that is allocated from the stated number of grants.
const mostStated = 4 << 20

// reconcile compares the numbers of rows in the file with those that its writer stated.
func (d *delta) reconcile() {
	if t := d.stated; !d.targeted {
		d.counts.Missing = max(0, t.Resources-d.counts.Resources) + max(0, t.Entitlements-d.counts.Entitlements) + max(0, t.Grants-d.read)
	}
}

// attributes sets the sources, the metadata and the flags of a grant.
func (d *delta) attributes(g *grant, row *c1z.GrantRow) error {
	full, err := row.Grant()
	if err != nil {
		return blame(err)
	}
	if id := full.ID; id != "" && id != console.UsualGrantID(full.Entitlement, full.Principal.Type, full.Principal.ID) {
		metadata := maps.Clone(full.Metadata)
		if metadata == nil {
			metadata = baton.Profile{}
		}
		metadata[console.GrantIDDetail] = id
		full.Metadata = metadata
	}
	g.sources, g.detail = d.sourceSet(full), d.detail(full)
	g.flags = int8(store.Flags(full.Expandable, slices.Contains(full.Annotations, "GrantImmutable")))
	return nil
}

// usualID reports whether the id of a grant is made from the ids of its entitlement and its
// principal, as in most connectors.
func usualID(row *c1z.GrantRow) bool {
	rest := row.ID
	if len(rest) == 0 {
		return true
	}
	for i, part := range [][]byte{row.Entitlement, row.PrincipalType, row.PrincipalID} {
		if i > 0 {
			if len(rest) == 0 || rest[0] != ':' {
				return false
			}
			rest = rest[1:]
		}
		if !bytes.HasPrefix(rest, part) {
			return false
		}
		rest = rest[len(part):]
	}
	return len(rest) == 0
}

// sortGrants sorts the grants like the stored facts, and merges grants of the same entitlement and
// principal.
func (d *delta) sortGrants() {
	order := func(a, b grant) int {
		if a.entitlement != b.entitlement {
			return cmpKeys(d.entitlement[a.entitlement].key, d.entitlement[b.entitlement].key)
		}
		return cmpKeys(d.resource[a.principal].key, d.resource[b.principal].key)
	}
	if !slices.IsSortedFunc(d.grants, order) {
		slices.SortStableFunc(d.grants, order)
	}
	kept := d.grants[:0]
	for _, g := range d.grants {
		if n := len(kept); n > 0 && kept[n-1].entitlement == g.entitlement && kept[n-1].principal == g.principal {
			kept[n-1] = d.united(kept[n-1], g)
			continue
		}
		kept = append(kept, g)
	}
	d.grants = kept
}

func cmpKeys[K ~int64](a, b K) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return +1
	}
	return 0
}

// united merges two grants of the same entitlement and principal.
func (d *delta) united(a, b grant) grant {
	switch {
	case a.sources == 0 || b.sources == 0: // one of them is direct
		a.sources = 0
	case a.sources != b.sources:
		both := append(decodeSources(d.sources.Text(int(a.sources))), decodeSources(d.sources.Text(int(b.sources)))...)
		a.sources = d.addSources(both)
	}
	a.flags |= b.flags
	if a.detail == 0 {
		a.detail = b.detail
	}
	return a
}
