package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// AppSummary is an app in a list.
type AppSummary struct {
	App        console.App
	Owners     []console.Person
	Connectors []console.Connector
	Counts     console.Counts // of the syncs that count now, over all connectors
	Data       time.Time      // when the oldest of these began; zero before the first
	ByHand     bool           // a person uploaded the file of one of them
	// Unseen are sentences about what the connectors cannot see.
	Unseen []string
}

// Apps returns up to n managed apps that the caller sees, in the order of their names, and
// whether there are more.
func (c *Console) Apps(ctx context.Context, caller Caller, after store.NameAfter, n int) (apps []AppSummary, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		for {
			page, err := tx.ManagedApps(after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, a := range page {
				after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
				if !console.SeeAccessCounts.Of(me, console.Object{App: &a}) {
					continue
				}
				if more = len(apps) == n; more {
					return nil
				}
				s, err := c.summarize(tx, a)
				if err != nil {
					return err
				}
				apps = append(apps, s)
			}
		}
	})
	return apps, more, err
}

func (c *Console) summarize(tx *store.Tx, a console.App) (s AppSummary, err error) {
	s.App = a
	if s.Owners, err = persons(tx, a.Owners); err != nil {
		return s, err
	}
	if s.Connectors, err = tx.Connectors(a.ID); err != nil {
		return s, err
	}
	s.Unseen = c.reminders(s.Connectors)
	for _, con := range s.Connectors {
		head, err := tx.HeadSync(con.Stream)
		if err != nil {
			return s, err
		}
		if head == nil {
			continue
		}
		s.Counts.Resources += head.Counts.Resources
		s.Counts.Accounts += head.Counts.Accounts
		s.Counts.Entitlements += head.Counts.Entitlements
		s.Counts.Facts += head.Counts.Facts
		s.Counts.Dangling += head.Counts.Dangling
		if s.Data.IsZero() || head.Began.Before(s.Data) {
			s.Data = head.Began
		}
		s.ByHand = s.ByHand || head.Kind == console.SyncUpload
	}
	return s, nil
}

func persons(tx *store.Tx, ids []console.ID) ([]console.Person, error) {
	var all []console.Person
	for _, id := range ids {
		p, err := tx.Person(id)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// App returns an app that the caller sees.
func (c *Console) App(ctx context.Context, caller Caller, id console.ID) (s AppSummary, err error) {
	err = c.read(ctx, caller, reading.in(id), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.SeeAccessCounts)
		if err != nil {
			return err
		}
		s, err = c.summarize(tx, a)
		return err
	})
	return s, err
}

// seeApp returns an app if the person may see it, and refuses if the person has no right
// to what is asked for there.
func seeApp(tx *store.Tx, me console.Person, id console.ID, right console.Right) (console.App, error) {
	a, err := tx.App(id)
	if err != nil {
		return a, err
	}
	o := console.Object{App: &a}
	if err := console.SeeAccessCounts.Check(me, o); err != nil {
		return a, hidden("app", err)
	}
	return a, right.Check(me, o)
}

// AccountRow is an account in a list.
type AccountRow struct {
	store.Resource
	Owner    console.Person // zero when it is matched to nobody
	Role     console.EffectiveRole
	Type     console.AccountType
	External bool // none of its addresses is of a domain of the company
}

// AccountFilter selects accounts. The zero value selects all.
type AccountFilter string

// The filters of accounts.
const (
	AllAccounts      AccountFilter = ""
	WithoutOwner     AccountFilter = "without-owner" // a person's account that is matched to nobody
	OrphanedAccounts AccountFilter = "orphaned"      // enabled, and its person is disabled or gone
	ExternalAccounts AccountFilter = "external"      // none of its addresses is of a domain of the company
	DisabledWith     AccountFilter = "disabled"      // disabled, and still holds something
	RoleUnknown      AccountFilter = "role-unknown"  // holds several roles, and nobody said which counts
)

// AccountFilters lists the filters of accounts.
func AccountFilters() []AccountFilter {
	return []AccountFilter{AllAccounts, WithoutOwner, OrphanedAccounts, ExternalAccounts, DisabledWith, RoleUnknown}
}

// AccountType selects accounts by whom they are for. The zero value selects all.
type AccountType string

// The types of accounts.
const (
	AnyType        AccountType = ""
	UserAccounts   AccountType = "user" // also where the application does not say
	ServiceAccount AccountType = "service"
	SystemAccount  AccountType = "system"
)

// AccountTypes lists the types of accounts.
func AccountTypes() []AccountType {
	return []AccountType{AnyType, UserAccounts, ServiceAccount, SystemAccount}
}

// kinds returns the kinds of accounts of a type.
func (t AccountType) kinds() []console.AccountKind {
	switch t {
	case UserAccounts:
		return []console.AccountKind{console.AccountUnspecified, console.AccountHuman}
	case ServiceAccount:
		return []console.AccountKind{console.AccountService}
	case SystemAccount:
		return []console.AccountKind{console.AccountSystem}
	}
	return nil
}

// NoRole is the name under which accounts without a role are selected.
const NoRole = "-"

// AccountQuery asks for accounts of an app. Several fields select what all of them do.
type AccountQuery struct {
	App    console.ID
	Filter AccountFilter
	Type   AccountType
	Role   string // the name of an effective role, or [NoRole]; "" for all
	Search string // words of the name, or the beginning of a login or an e-mail address
	After  store.ResourceAfter
	N      int
}

// AccountPage is one page of a list of accounts. Next is the cursor of the next page, nil on
// the last one.
type AccountPage struct {
	Rows []AccountRow
	Next *store.ResourceAfter
	// Looked is how many accounts were looked at for this page, if that is why it is short.
	Looked int
	// DomainsUnset says that nobody named the domains of the company, so that no account
	// counts as external.
	DomainsUnset bool
}

// Accounts returns a page of an app's accounts.
func (c *Console) Accounts(ctx context.Context, caller Caller, q AccountQuery) (p AccountPage, err error) {
	err = c.read(ctx, caller, reading.in(q.App), func(tx *store.Tx, me console.Person) error {
		p = AccountPage{}
		a, err := seeApp(tx, me, q.App, console.SeeAccess)
		if err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		domains, err := companyDomains(tx)
		if err != nil {
			return err
		}
		p.DomainsUnset = len(domains) == 0
		f, err := q.filter(a.Roles, domains)
		if err != nil {
			return err
		}
		if q.Filter == ExternalAccounts && p.DomainsUnset || q.Filter == RoleUnknown && (a.Roles.Priority != console.PriorityUnknown || len(a.Roles.Roles) < 2) {
			return nil
		}
		page, err := tx.FilterAccounts(m, f, q.After, q.N)
		if err != nil {
			return err
		}
		p.Next, p.Looked = page.Next, page.Looked
		if p.Rows, err = accountRows(tx, m, a, page.Rows); err != nil {
			return err
		}
		for i := range p.Rows {
			p.Rows[i].External = domains.external(p.Rows[i].Resource)
		}
		return nil
	})
	return p, err
}

// filter returns what the store is asked for.
func (q AccountQuery) filter(roles console.RoleMap, domains domains) (f store.AccountFilter, err error) {
	f = store.AccountFilter{Words: q.Search, Kinds: q.Type.kinds(), Roles: roles}
	switch q.Filter {
	case AllAccounts:
	case WithoutOwner:
		f.Unowned = true
	case OrphanedAccounts:
		f.Orphaned = true
	case ExternalAccounts:
		f.Match = domains.external
	case DisabledWith:
		f.Disabled, f.Holding = true, true
	case RoleUnknown:
		for _, r := range roles.Roles {
			f.Several = append(f.Several, r.Entitlements)
		}
	default:
		return f, baton.Errorf(baton.Invalid, "there is no filter %q", q.Filter)
	}
	switch q.Role {
	case "":
		return f, nil
	case NoRole:
		f.NoneOf = roles.Entitlements()
		return f, nil
	}
	for i, r := range roles.Roles {
		if r.Name != q.Role {
			continue
		}
		f.AnyOf = r.Entitlements
		others := roles.Roles[:i] // the worse assumption: a role is the account's if it holds no more powerful one
		if roles.Priority == console.LowestWins {
			others = roles.Roles[i+1:]
		}
		for _, o := range others {
			f.NoneOf = append(f.NoneOf, o.Entitlements...)
		}
		return f, nil
	}
	return f, baton.Errorf(baton.Invalid, "the application has no role %q", q.Role)
}

// RoleUnknown reports whether an account holds several roles of which nobody said which
// counts.
func (r AccountRow) RoleUnknown() bool {
	return r.Role.Risk != nil && r.Role.Floor != nil && r.Role.Risk != r.Role.Floor
}

func accountRow(tx *store.Tx, m store.Moment, a console.App, r store.Resource) (row AccountRow, err error) {
	rows, err := accountRows(tx, m, a, []store.Resource{r})
	if err != nil {
		return row, err
	}
	return rows[0], nil
}

// accountRows returns what lists say about accounts.
func accountRows(tx *store.Tx, m store.Moment, a console.App, accounts []store.Resource) (rows []AccountRow, err error) {
	keys := make([]console.ResourceKey, len(accounts))
	for i, r := range accounts {
		keys[i] = r.Key
	}
	owners, err := tx.OwnersNow(keys)
	if err != nil {
		return nil, err
	}
	known, err := tx.AccountsRoles(m, a.Roles, accounts)
	if err != nil {
		return nil, err
	}
	for _, r := range accounts {
		rows = append(rows, AccountRow{Resource: r, Owner: owners[r.Key], Role: known[r.Key].Role, Type: known[r.Key].Type})
	}
	return rows, nil
}

// EntitlementRow is an entitlement in a list.
type EntitlementRow struct {
	store.Entitlement
	Resource store.Resource   // what it is held on
	Holders  int              // up to [MaxCounted]
	Role     *console.AppRole // the role it gives; nil if none
	// NoEffect says that holding it changes nothing in the application: it gives no role, and
	// the application knows roles only.
	NoEffect bool
	// MasteredIn says where who holds it is decided, if not in the application; "" if it is
	// there, or not known.
	MasteredIn string
}

// MaxCounted is how far holders are counted in lists.
const MaxCounted = 10_000

// EntitlementFilter selects entitlements. The zero value selects all.
type EntitlementFilter string

// The filters of entitlements.
const (
	AllEntitlements EntitlementFilter = ""
	GivesRole       EntitlementFilter = "role"
	GivesAdmin      EntitlementFilter = "admin"
	GivesNoRole     EntitlementFilter = "no-role"
	HeldByNobody    EntitlementFilter = "unheld"
)

// EntitlementFilters lists the filters of entitlements.
func EntitlementFilters() []EntitlementFilter {
	return []EntitlementFilter{AllEntitlements, GivesRole, GivesAdmin, GivesNoRole, HeldByNobody}
}

// EntitlementQuery asks for entitlements of an app. Several fields select what all of them
// do.
type EntitlementQuery struct {
	App    console.ID
	Filter EntitlementFilter
	Search string // words of the name
	After  store.EntitlementAfter
	N      int
}

// EntitlementPage is a part of a list of entitlements, as [AccountPage].
type EntitlementPage struct {
	Rows   []EntitlementRow
	Next   *store.EntitlementAfter
	Looked int
}

// Entitlements returns a page of an app's entitlements.
func (c *Console) Entitlements(ctx context.Context, caller Caller, q EntitlementQuery) (p EntitlementPage, err error) {
	err = c.read(ctx, caller, reading.in(q.App), func(tx *store.Tx, me console.Person) error {
		p = EntitlementPage{}
		a, err := seeApp(tx, me, q.App, console.SeeAccess)
		if err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		f := store.EntitlementFilter{Words: q.Search}
		switch q.Filter {
		case AllEntitlements:
		case GivesRole:
			f.Only = append([]console.EntitlementKey{}, a.Roles.Entitlements()...)
		case GivesAdmin:
			f.Only = []console.EntitlementKey{}
			for _, r := range a.Roles.Roles {
				if r.Admin {
					f.Only = append(f.Only, r.Entitlements...)
				}
			}
		case GivesNoRole:
			f.Not = a.Roles.Entitlements()
		case HeldByNobody:
			f.Unheld = true
		default:
			return baton.Errorf(baton.Invalid, "there is no filter %q", q.Filter)
		}
		page, err := tx.FilterEntitlements(m, f, q.After, q.N)
		if err != nil {
			return err
		}
		p.Next, p.Looked = page.Next, page.Looked
		for _, e := range page.Rows {
			row, err := c.entitlementRow(tx, m, a, e, MaxCounted)
			if err != nil {
				return err
			}
			p.Rows = append(p.Rows, row)
		}
		return nil
	})
	return p, err
}

func (c *Console) entitlementRow(tx *store.Tx, m store.Moment, a console.App, e store.Entitlement, counted int) (row EntitlementRow, err error) {
	row.Entitlement = e
	if row.Resource, err = tx.Resource(m, e.Entitlement.Resource); err != nil && baton.KindOf(err) != baton.NotFound {
		return row, err
	}
	row.Role = roleOf(a.Roles, e.Key)
	if row.Holders, err = tx.CountHolders(m, e.Key, counted); err != nil {
		return row, err
	}
	product, err := c.productOf(tx, m, e.Stream)
	if err != nil {
		return row, err
	}
	if product.Roles.Type == row.Resource.Type && product.Roles.Type != "" {
		row.MasteredIn = product.Roles.MasteredIn
		row.NoEffect = row.Role == nil && rolesAreKnown(a.Roles)
	}
	return row, nil
}

// rolesAreKnown reports whether somebody said which entitlements mean administrator and
// which do not: only then, others are known to give no role.
func rolesAreKnown(m console.RoleMap) bool {
	admin, other := false, false
	for _, r := range m.Roles {
		if len(r.Entitlements) > 0 {
			admin, other = admin || r.Admin, other || !r.Admin
		}
	}
	return admin && other
}

// productOf returns the product of the connector that shows a stream; a zero one if it is
// none that the console knows.
func (c *Console) productOf(tx *store.Tx, m store.Moment, stream console.Stream) (Product, error) {
	for _, s := range m.Streams {
		if s.Stream != stream {
			continue
		}
		con, err := tx.Connector(s.Connector)
		if err != nil {
			return Product{}, err
		}
		p, err := c.Product(strings.TrimPrefix(con.Product, "baton-"))
		if baton.KindOf(err) == baton.NotFound {
			return Product{}, nil
		}
		return p, err
	}
	return Product{}, nil
}

// reminders returns what somebody who reads the lists of an app has to know about them: what
// its connectors cannot see.
func (c *Console) reminders(connectors []console.Connector) (all []string) {
	for _, con := range connectors {
		p, err := c.Product(strings.TrimPrefix(con.Product, "baton-"))
		if err == nil && p.Unseen != "" && !slices.Contains(all, p.Unseen) {
			all = append(all, p.Unseen)
		}
	}
	return all
}

// roleOf returns the role that an entitlement gives, or nil.
func roleOf(m console.RoleMap, key console.EntitlementKey) *console.AppRole {
	for i, r := range m.Roles {
		for _, e := range r.Entitlements {
			if e == key {
				return &m.Roles[i]
			}
		}
	}
	return nil
}
