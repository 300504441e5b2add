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
	Counts     console.Counts // of what all connectors show
	Data       time.Time      // when the oldest of these syncs began; zero if there is none
	ByHand     bool           // one of these files was uploaded by a person
	// Unseen are sentences about data that the connectors cannot read.
	Unseen []string
}

// Apps returns up to n managed apps that the caller may see, ordered by name, and whether there are
// more.
func (c *Console) Apps(ctx context.Context, caller Caller, after store.NameAfter, n int) (apps []AppSummary, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		for {
			page, err := tx.ManagedApps(c.at, after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, a := range page {
				after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
				if !console.SeeAccessCounts.Of(me, console.Object{App: &a}) {
					continue
				}
				if there, err := tx.AppAddedBy(a.ID, c.at); err != nil || !there {
					if err != nil {
						return err
					}
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
		head, err := c.syncThen(tx, con.Stream)
		if err != nil {
			return s, err
		}
		if head == nil {
			continue
		}
		counts, err := tx.CountsAt(con.Stream, head.Number)
		if err != nil {
			return s, err
		}
		s.Counts.Resources += counts.Resources
		s.Counts.Accounts += counts.Accounts
		s.Counts.Entitlements += counts.Entitlements
		s.Counts.Facts += counts.Facts
		s.Counts.Dangling += counts.Dangling
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

// App returns an app that the caller may see.
func (c *Console) App(ctx context.Context, caller Caller, id console.ID) (s AppSummary, err error) {
	err = c.read(ctx, caller, reading.in(id), func(tx *store.Tx, me console.Person) error {
		a, err := c.seeAppThen(tx, me, id, console.SeeAccessCounts)
		if err != nil {
			return err
		}
		s, err = c.summarize(tx, a)
		return err
	})
	return s, err
}

// seeApp returns an app if the person may see it. It also checks the person's right to what is
// displayed there.
func seeApp(tx *store.Tx, me console.Person, id console.ID, right console.Right) (console.App, error) {
	return seeAppAt(tx, me, id, right, time.Time{})
}

// seeAppAt is [seeApp] for an app that was not removed by a time; the zero time means now.
func seeAppAt(tx *store.Tx, me console.Person, id console.ID, right console.Right, when time.Time) (console.App, error) {
	a, err := tx.App(id)
	if err == nil && !a.ThereAt(when) {
		return console.App{}, errNoApp
	}
	if err != nil {
		return a, err
	}
	o := console.Object{App: &a}
	if err := console.SeeAccessCounts.Check(me, o); err != nil {
		return a, hidden("app", err)
	}
	return a, right.Check(me, o)
}

var errNoApp = baton.Errorf(baton.NotFound, "no app")

// presentApp returns an app. NotFound if it was removed.
func presentApp(tx *store.Tx, id console.ID) (console.App, error) {
	a, err := tx.App(id)
	if err == nil && !a.Removed.IsZero() {
		return console.App{}, errNoApp
	}
	return a, err
}

// AccountRow is an account in a list.
type AccountRow struct {
	store.Resource
	Owner    console.Person // zero if it has none
	Role     console.EffectiveRole
	Type     console.AccountType
	External bool // none of its addresses is in a domain of the company
	// Rematched means that the account had another owner at the past moment than now. OwnerNow is
	// the current owner; zero if there is none.
	Rematched bool
	OwnerNow  console.Person
}

// AccountFilter selects accounts. The zero value selects all.
type AccountFilter string

const (
	AllAccounts      AccountFilter = ""
	WithoutOwner     AccountFilter = "without-owner" // a person's account without an owner
	OrphanedAccounts AccountFilter = "orphaned"      // enabled, but its owner is disabled or gone
	ExternalAccounts AccountFilter = "external"      // none of its addresses is in a domain of the company
	DisabledWith     AccountFilter = "disabled"      // disabled, but still holds something
	RoleUnknown      AccountFilter = "role-unknown"  // holds several roles of an app without a priority
	SeveralRoles     AccountFilter = "several-roles" // holds several roles, for example the groups Admin and Member
	CameBackWith     AccountFilter = "came-back"     // holds access that the console had removed
)

func AccountFilters() []AccountFilter {
	return []AccountFilter{AllAccounts, WithoutOwner, OrphanedAccounts, ExternalAccounts, DisabledWith, RoleUnknown, SeveralRoles, CameBackWith}
}

// AccountType selects accounts by whom they are for. The zero value selects all.
type AccountType string

const (
	AnyType        AccountType = ""
	UserAccounts   AccountType = "user" // includes accounts whose type is unknown
	ServiceAccount AccountType = "service"
	SystemAccount  AccountType = "system"
)

func AccountTypes() []AccountType {
	return []AccountType{AnyType, UserAccounts, ServiceAccount, SystemAccount}
}

// kinds returns the kinds of accounts that belong to a type.
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

// NoRole selects accounts without a role.
const NoRole = "-"

// AccountQuery selects accounts of an app. With several fields, all must match.
type AccountQuery struct {
	App    console.ID
	Filter AccountFilter
	Type   AccountType
	Role   string // name of an effective role, or [NoRole]; "" for all
	Search string // words in the name, or the beginning of a login or an e-mail address
	After  store.ResourceAfter
	N      int
}

// AccountPage is a page of a list of accounts. Next is the cursor of the next page, nil on the last
// one.
type AccountPage struct {
	Rows []AccountRow
	Next *store.ResourceAfter
	// Looked is the number of accounts that were examined, if that limit made the page short.
	Looked int
	// DomainsUnset means that no company domains are set, so no account counts as external.
	DomainsUnset bool
}

func (c *Console) Accounts(ctx context.Context, caller Caller, q AccountQuery) (p AccountPage, err error) {
	err = c.read(ctx, caller, reading.in(q.App), func(tx *store.Tx, me console.Person) error {
		p = AccountPage{}
		a, err := c.seeAppThen(tx, me, q.App, console.SeeAccess)
		if err != nil {
			return err
		}
		m, err := c.moment(tx, a.ID)
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
		if q.Filter == ExternalAccounts && p.DomainsUnset || q.Filter == RoleUnknown && a.Roles.Priority != console.PriorityUnknown || (q.Filter == RoleUnknown || q.Filter == SeveralRoles) && len(a.Roles.Roles) < 2 {
			return nil
		}
		if q.Filter == CameBackWith {
			if f.Only, err = c.cameBack(tx, a, m); err != nil || len(f.Only) == 0 {
				return err
			}
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

// cameBack returns the accounts that hold access which the console had removed.
func (c *Console) cameBack(tx *store.Tx, a console.App, m store.Moment) (accounts []console.ResourceKey, err error) {
	removed, err := tx.RemovedAndHeld(m, a.ID)
	if err != nil {
		return nil, err
	}
	now := c.now()
	if !m.At.IsZero() {
		now = m.At
	}
	for _, r := range removed {
		if slices.Contains(accounts, r.Account) {
			continue
		}
		access, err := tx.AccessIn(m, a.ID, r.Account, r.Entitlement, 0, now)
		if err != nil {
			return nil, err
		}
		if access.State(now) == console.StateCameBack {
			accounts = append(accounts, r.Account)
		}
	}
	return accounts, nil
}

// filter returns the store's filter for the query.
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
	case CameBackWith: // the caller adds the accounts
	case RoleUnknown, SeveralRoles:
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
		others := roles.Roles[:i] // the worst case: an account has the role if it holds no more powerful one
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

// RoleUnknown reports whether an account holds several roles of an app without a priority.
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

// accountRows adds owner, role and type to accounts.
func accountRows(tx *store.Tx, m store.Moment, a console.App, accounts []store.Resource) (rows []AccountRow, err error) {
	keys := make([]console.ResourceKey, len(accounts))
	for i, r := range accounts {
		keys[i] = r.Key
	}
	owners, rematched, err := ownersThen(tx, m, keys)
	if err != nil {
		return nil, err
	}
	known, err := tx.AccountsRoles(m, a.Roles, accounts)
	if err != nil {
		return nil, err
	}
	for _, r := range accounts {
		row := AccountRow{Resource: r, Owner: owners[r.Key], Role: known[r.Key].Role, Type: known[r.Key].Type}
		row.OwnerNow, row.Rematched = rematched[r.Key]
		if !m.At.IsZero() {
			row.Account.LastLogin = time.Time{} // it has no history
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// ownersThen returns the owners of accounts at a moment. For a past moment, now has the current
// owners that differ; zero for none.
func ownersThen(tx *store.Tx, m store.Moment, accounts []console.ResourceKey) (then, rematched map[console.ResourceKey]console.Person, err error) {
	if then, err = tx.OwnersAt(accounts, m.At); err != nil || m.At.IsZero() {
		return then, nil, err
	}
	now, err := tx.OwnersNow(accounts)
	rematched = map[console.ResourceKey]console.Person{}
	for _, key := range accounts {
		if now[key].Canonical() != then[key].Canonical() {
			rematched[key] = now[key]
		}
	}
	return then, rematched, err
}

// EntitlementRow is an entitlement in a list.
type EntitlementRow struct {
	store.Entitlement
	Resource store.Resource   // the resource it belongs to
	Holders  int              // at most [MaxCounted]
	Role     *console.AppRole // the role it gives; nil if none
	// NoEffect means that it changes nothing in the application: it gives no role, and the
	// application only has roles.
	NoEffect bool
	// MasteredIn is where its holders are managed, if not in the application; "" if they are, or if
	// that is unknown.
	MasteredIn string
}

// MaxCounted is the number up to which lists count holders.
const MaxCounted = 10_000

// EntitlementFilter selects entitlements. The zero value selects all.
type EntitlementFilter string

const (
	AllEntitlements EntitlementFilter = ""
	GivesRole       EntitlementFilter = "role"
	GivesAdmin      EntitlementFilter = "admin"
	GivesNoRole     EntitlementFilter = "no-role"
	HeldByNobody    EntitlementFilter = "unheld"
)

func EntitlementFilters() []EntitlementFilter {
	return []EntitlementFilter{AllEntitlements, GivesRole, GivesAdmin, GivesNoRole, HeldByNobody}
}

// EntitlementQuery selects entitlements of an app. With several fields, all must match.
type EntitlementQuery struct {
	App    console.ID
	Filter EntitlementFilter
	Search string // words in the name
	After  store.EntitlementAfter
	N      int
}

// EntitlementPage is a page of a list of entitlements; see [AccountPage].
type EntitlementPage struct {
	Rows   []EntitlementRow
	Next   *store.EntitlementAfter
	Looked int
}

func (c *Console) Entitlements(ctx context.Context, caller Caller, q EntitlementQuery) (p EntitlementPage, err error) {
	err = c.read(ctx, caller, reading.in(q.App), func(tx *store.Tx, me console.Person) error {
		p = EntitlementPage{}
		a, err := c.seeAppThen(tx, me, q.App, console.SeeAccess)
		if err != nil {
			return err
		}
		m, err := c.moment(tx, a.ID)
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
	if row.MasteredIn, err = c.masterOf(tx, m, a.ID, e, row.Resource.Type); err != nil {
		return row, err
	}
	product, err := c.productOf(tx, m, e.Stream)
	if err != nil {
		return row, err
	}
	row.NoEffect = product.Roles.Type == row.Resource.Type && product.Roles.Type != "" && row.Role == nil && rolesAreKnown(a.Roles)
	return row, nil
}

// rolesAreKnown reports whether the administrator entitlements were confirmed. Only then do the
// others certainly give no role.
func rolesAreKnown(m console.RoleMap) bool {
	admin, other := false, false
	for _, r := range m.Roles {
		if len(r.Entitlements) > 0 {
			admin, other = admin || r.Admin, other || !r.Admin
		}
	}
	return admin && other
}

// productOf returns the product of the connector of a stream; the zero value if it is not in the
// catalogue.
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

// reminders returns what readers of an app's lists must know: the data that its connectors cannot
// read.
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
