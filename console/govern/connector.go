package govern

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"baton"
	"baton/connector/rest"
	"baton/console"
	"baton/console/rpc"
	"baton/console/schedule"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// Product is a connector in the catalogue.
type Product struct {
	Name        string // "perplexity"; the binary is baton-perplexity
	DisplayName string
	Description string
	Settings    []baton.Setting
	// Notice must be read before connecting it; may be empty.
	Notice string
	// Unseen describes data that its syncs cannot show; may be empty.
	Unseen string
	// Roles are the resources whose members have a role in the application, if they have no other
	// purpose there.
	Roles ProductRoles
	// Recovery lists what to do in the application and at the identity provider when nobody is
	// administrator any more; Support is who helps then. Both may be empty.
	Recovery []string
	Support  string
	// Seats are the numbers of seats that matter to the supplier.
	Seats []SeatThreshold
	// Provisions says that it changes the application where provisioning is switched on.
	Provisions bool
	// Open creates a hosted connector from its settings, without network access. nil if the console
	// cannot host it.
	Open func(baton.Values, rest.Options) (*baton.Connector, error)
}

// ProductRoles are the resources of an application that stand for roles.
type ProductRoles struct {
	Type       string // of the resources
	MasteredIn string // where their members are managed
	// Masters are the identity providers that can be chosen for it; MastersNote is what to know about
	// them.
	Masters     []string
	MastersNote string
}

// Hostable reports whether the console can run the connector itself.
func (p Product) Hostable() bool { return p.Open != nil }

// Binary returns the name of the connector's program.
func (p Product) Binary() string { return "baton-" + p.Name }

// Generic is the catalogue entry for any other Baton connector.
var Generic = Product{Name: "baton", DisplayName: "Baton", Description: "Any Baton connector, run in your own environment",
	Roles: ProductRoles{Masters: []string{"Okta", "Microsoft Entra ID", "OneLogin", "Google Workspace"}}}

// Catalog returns the products whose name or description contains a text, then Generic.
func (c *Console) Catalog(search string) []Product {
	var found []Product
	has := func(p Product) bool {
		return strings.Contains(strings.ToLower(p.DisplayName+" "+p.Description), strings.ToLower(strings.TrimSpace(search)))
	}
	for _, p := range append(slices.Clone(c.products), Generic) {
		if has(p) {
			found = append(found, p)
		}
	}
	return found
}

func (c *Console) Product(name string) (Product, error) {
	for _, p := range append(slices.Clone(c.products), Generic) {
		if p.Name == name {
			return p, nil
		}
	}
	return Product{}, baton.Errorf(baton.NotFound, "no connector %q in the catalogue", name)
}

// ConnectorSummary is a connector in a list.
type ConnectorSummary struct {
	Connector console.Connector
	App       console.App
	State     console.ConnectionState
	Sentence  string
	Applied   *console.Sync // the head; nil before the first sync
}

// Connectors returns the connectors that the caller may see, ordered by name.
func (c *Console) Connectors(ctx context.Context, caller Caller) (all []ConnectorSummary, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		all = nil
		connectors, err := tx.Connectors("")
		if err != nil {
			return err
		}
		for _, con := range connectors {
			a, err := tx.App(con.App)
			if err != nil {
				return err
			}
			if !console.SeeConnectors.Of(me, console.Object{App: &a, Connector: &con}) {
				continue
			}
			s, err := c.connectorSummary(tx, con, a)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		slices.SortStableFunc(all, func(a, b ConnectorSummary) int {
			return slices.Compare(console.SortKey(a.Connector.Name), console.SortKey(b.Connector.Name))
		})
		return nil
	})
	return all, err
}

func (c *Console) connectorSummary(tx *store.Tx, con console.Connector, a console.App) (s ConnectorSummary, err error) {
	connection, err := rpcstore.ConnectionOf(tx, con, c.now())
	if err != nil {
		return s, err
	}
	s = ConnectorSummary{Connector: con, App: a, Applied: connection.Applied}
	s.State, s.Sentence = connection.State(c.now())
	return s, nil
}

// ConnectorView is one connector.
type ConnectorView struct {
	ConnectorSummary
	Owners      []console.Person
	Held        *console.Sync
	Hosts       []rpc.Host
	Credentials []rpc.Credential
	// NextSync is the time of the next sync; zero if it is paused or has no schedule.
	NextSync     time.Time
	MayConfigure bool
	MayJudge     bool
	SeesAccess   bool
}

// Connector returns a connector.
func (c *Console) Connector(ctx context.Context, caller Caller, id console.ID) (v ConnectorView, err error) {
	err = c.read(ctx, caller, reading.at(id), func(tx *store.Tx, me console.Person) error {
		con, a, err := seeConnector(tx, me, id, console.SeeConnectors)
		if err != nil {
			return err
		}
		v = ConnectorView{}
		if v.ConnectorSummary, err = c.connectorSummary(tx, con, a); err != nil {
			return err
		}
		if v.Owners, err = persons(tx, con.Owners); err != nil {
			return err
		}
		if v.Held, err = tx.HeldSync(id); err != nil {
			return err
		}
		if !con.Paused {
			if v.NextSync, _, err = tx.DueAt(console.DueSync, string(id)); err != nil {
				return err
			}
		}
		if v.Hosts, err = rpcstore.Hosts(tx, string(id)); err != nil {
			return err
		}
		if v.Credentials, err = rpcstore.Credentials(tx, string(id)); err != nil {
			return err
		}
		o := console.Object{App: &a, Connector: &con}
		v.MayConfigure, v.MayJudge, v.SeesAccess = console.ConfigureConnectors.Of(me, o), console.JudgeHeldSyncs.Of(me, o), console.SeeAccess.Of(me, o)
		return nil
	})
	return v, err
}

// seeConnector returns a connector and its app if the person may see it. It also checks the person's
// right to what is displayed there.
func seeConnector(tx *store.Tx, me console.Person, id console.ID, right console.Right) (console.Connector, console.App, error) {
	con, err := tx.Connector(id)
	if err == nil && !con.Removed.IsZero() {
		err = baton.Errorf(baton.NotFound, "no connector")
	}
	if err != nil {
		return con, console.App{}, err
	}
	a, err := tx.App(con.App)
	if err != nil {
		return con, a, err
	}
	o := console.Object{App: &a, Connector: &con}
	if err := console.SeeConnectors.Check(me, o); err != nil {
		return con, a, hidden("connector", err)
	}
	return con, a, right.Check(me, o)
}

// Syncs returns up to n syncs of a connector, the newest first, and whether there are more.
func (c *Console) Syncs(ctx context.Context, caller Caller, id console.ID, before store.SyncBefore, n int) (syncs []console.Sync, more bool, err error) {
	err = c.read(ctx, caller, reading.at(id), func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeConnector(tx, me, id, console.SeeConnectors); err != nil {
			return err
		}
		if syncs, err = tx.Syncs(id, before, n+1); err != nil {
			return err
		}
		if more = len(syncs) > n; more {
			syncs = syncs[:n]
		}
		return nil
	})
	return syncs, more, err
}

// Tasks returns up to n tasks of a connector before the given number, the newest first, and where
// the next page begins; 0 at the end.
func (c *Console) Tasks(ctx context.Context, caller Caller, id console.ID, before int64, n int) (tasks []rpc.Task, next int64, err error) {
	err = c.read(ctx, caller, reading.at(id), func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeConnector(tx, me, id, console.SeeConnectors); err != nil {
			return err
		}
		if tasks, next, err = rpcstore.TasksBefore(tx, string(id), before, n); len(tasks) < n {
			next = 0
		}
		return err
	})
	return tasks, next, err
}

// NewConnector holds the settings of a new connector.
type NewConnector struct {
	Name    string
	Product string     // name in the catalogue
	App     console.ID // an existing app, or
	NewApp  string     // the name of a new app, or
	// Unmanaged is a discovered application. It becomes an app named NewApp or, if that is empty,
	// with its own name.
	Unmanaged console.ResourceKey
	Owners    []console.ID
	Hosted    bool // it runs inside the console
	Files     bool // it runs nowhere: people upload its files
}

// AddConnector adds a connector to an app, or to a new app of which the caller becomes the owner.
func (c *Console) AddConnector(ctx context.Context, caller Caller, n NewConnector) (id console.ID, err error) {
	n.Name, n.NewApp = strings.TrimSpace(n.Name), strings.TrimSpace(n.NewApp)
	if err := cmp.Or(checkName(n.Name), checkName(n.NewApp)); err != nil {
		return "", err
	}
	err = c.change(ctx, caller, configuring.in(n.App), func(tx *store.Tx, me console.Person) error {
		if err := console.AddConnectors.Check(me, console.Object{}); err != nil {
			return err
		}
		product, err := c.Product(n.Product)
		if err != nil {
			return err
		}
		app, err := appFor(tx, me, n)
		if err != nil {
			return err
		}
		if len(n.Owners) == 0 {
			n.Owners = []console.ID{me.Canonical()}
		}
		if err := checkActiveOwners(tx, nil, n.Owners); err != nil {
			return err
		}
		con := console.Connector{App: app, Name: n.Name, Hosting: console.SelfHosted, Owners: n.Owners, Interval: defaultInterval}
		if n.Hosted {
			if !product.Hostable() {
				return baton.Errorf(baton.Invalid, "%s cannot run inside the console", product.DisplayName).WithFix("Set it up as self-hosted.")
			}
			con.Hosting = console.Hosted
		}
		if n.Files {
			con.Hosting = console.ByFile
		}
		if product.Name != Generic.Name {
			con.Product = product.Name
		}
		id, err = tx.AddConnector(con)
		return err
	})
	return id, err
}

// appFor returns the app for a new connector, and creates it if necessary.
func appFor(tx *store.Tx, me console.Person, n NewConnector) (console.ID, error) {
	switch {
	case n.App != "" && (n.NewApp != "" || n.Unmanaged != 0), n.App == "" && n.NewApp == "" && n.Unmanaged == 0:
		return "", baton.Errorf(baton.Invalid, "choose an unmanaged app or a managed app, or name a new one")
	case n.App != "":
		return n.App, nil
	case n.Unmanaged != 0:
		return manageDiscovered(tx, me, n.Unmanaged, n.NewApp)
	}
	return addApp(tx, me, n.NewApp)
}

// addApp adds an app with the person as its owner.
func addApp(tx *store.Tx, me console.Person, name string) (console.ID, error) {
	id, err := tx.AddApp(console.App{Name: name, Owners: []console.ID{me.Canonical()}, MinimumAdmins: console.ProposedMinimumAdmins})
	if baton.KindOf(err) == baton.AlreadyExists {
		err = baton.Errorf(baton.AlreadyExists, "there is an app of this name already").WithFix("Choose that app, or give another name.")
	}
	return id, err
}

const defaultInterval = time.Hour

// Candidates are the apps and people that can be selected for a new connector.
type Candidates struct {
	Unmanaged []UnmanagedApp
	Managed   []console.App
	People    []console.Person
}

// Candidates returns the apps and people that can be selected for a new connector, up to
// [store.PageSize] of each.
func (c *Console) Candidates(ctx context.Context, caller Caller) (found Candidates, err error) {
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		if err := console.AddConnectors.Check(me, console.Object{}); err != nil {
			return err
		}
		if found.Unmanaged, _, err = unmanagedApps(tx, me, UnmanagedAfter{}, store.PageSize); err != nil {
			return err
		}
		if found.Managed, err = tx.ManagedApps(time.Time{}, store.NameAfter{}, store.PageSize); err != nil {
			return err
		}
		found.People, err = activePersons(tx)
		return err
	})
	return found, err
}

// Owners returns up to [store.PageSize] people who can own a connector, if the caller may configure
// it.
func (c *Console) Owners(ctx context.Context, caller Caller, id console.ID) (people []console.Person, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeConnector(tx, me, id, console.ConfigureConnectors); err != nil {
			return err
		}
		people, err = activePersons(tx)
		return err
	})
	return people, err
}

func activePersons(tx *store.Tx) ([]console.Person, error) {
	all, err := tx.Persons(store.NameAfter{}, store.PageSize)
	return slices.DeleteFunc(all, func(p console.Person) bool { return p.Status != console.PersonActive }), err
}

// Overlap is how long previous credentials remain valid after a rotation.
const Overlap = 24 * time.Hour

// Rotated is a new credential with its secret, which is not stored.
type Rotated struct {
	ClientID string
	Secret   baton.Secret
	Until    time.Time // when the previous ones expire
}

// Rotate creates a new credential for a connector. The previous ones expire after [Overlap].
func (c *Console) Rotate(ctx context.Context, caller Caller, id console.ID) (r Rotated, err error) {
	for range 10 { // the number in a client id may be taken
		if r, err = c.rotate(ctx, caller, id); baton.KindOf(err) != baton.AlreadyExists {
			break
		}
	}
	return r, err
}

func (c *Console) rotate(ctx context.Context, caller Caller, id console.ID) (r Rotated, err error) {
	now := c.now()
	err = c.change(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		if len(c.hosts) == 0 {
			return baton.Errorf(baton.Refused, "connectors cannot reach this console over TLS").WithFix("Start it with --url https://… and a certificate, or behind a proxy.")
		}
		credential, secret, err := rpc.NewCredential(string(id), rpc.CredentialName(con.Name), c.hosts[0], now)
		if err != nil {
			return err
		}
		earlier, err := rpcstore.Credentials(tx, string(id))
		if err != nil {
			return err
		}
		r.Until = time.Time{}
		for _, e := range earlier {
			if !e.Good(now) {
				continue
			}
			r.Until = now.Add(Overlap)
			if err := rpcstore.ExpireCredential(tx, e.ClientID, r.Until); err != nil {
				return err
			}
		}
		r.ClientID, r.Secret = credential.ClientID, secret
		return rpcstore.AddCredential(tx, credential)
	})
	return r, err
}

// RevokeCredential revokes a credential of a connector.
func (c *Console) RevokeCredential(ctx context.Context, caller Caller, id console.ID, clientID string) error {
	return c.change(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeConnector(tx, me, id, console.ConfigureConnectors); err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		if _, err := rpcstore.CredentialOf(tx, string(id), clientID); err != nil {
			return err
		}
		return rpcstore.RevokeCredential(tx, clientID)
	})
}

// PauseConnector pauses or resumes a connector.
func (c *Console) PauseConnector(ctx context.Context, caller Caller, id console.ID, paused bool) error {
	return c.change(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil || con.Paused == paused {
			return err
		}
		con.Paused = paused
		return tx.ChangeConnector(con)
	})
}

// SyncNow starts a sync of a connector now. Its interval counts from here on.
func (c *Console) SyncNow(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil {
			return err
		}
		if con.Paused {
			return baton.Errorf(baton.Refused, "the connector is paused").WithFix("Resume it first.")
		}
		return tx.ScheduleSync(con, c.now())
	})
}

// ConnectorSettings are the settings of a connector that can be changed.
type ConnectorSettings struct {
	Name     string
	Schedule schedule.Schedule
	Owners   []console.ID
	Version  int64 // the version that was read
}

// maxName limits names of objects, in characters.
const maxName = 200

// checkName returns an error if an object cannot have a name.
func checkName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > maxName:
		return baton.Errorf(baton.Invalid, "the name is longer than %d characters", maxName)
	case strings.ContainsFunc(name, unicode.IsControl):
		return baton.Errorf(baton.Invalid, "the name has a line break or another control character")
	}
	return nil
}

func SettingsOf(con console.Connector) ConnectorSettings {
	return ConnectorSettings{Name: con.Name, Schedule: schedule.Of(con), Owners: con.Owners, Version: con.Version}
}

// ConfigureConnector changes the settings of a connector.
func (c *Console) ConfigureConnector(ctx context.Context, caller Caller, id console.ID, s ConnectorSettings) error {
	return c.change(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil {
			return err
		}
		if s.Schedule != schedule.Of(con) {
			if err := s.Schedule.Check(c.minInterval); err != nil {
				return err
			}
		}
		if err := checkName(s.Name); err != nil {
			return err
		}
		if err := checkActiveOwners(tx, con.Owners, s.Owners); err != nil {
			return err
		}
		con.Name, con.Owners, con.Version = strings.TrimSpace(s.Name), s.Owners, s.Version
		con.Interval, con.Cron, con.Zone = s.Schedule.Every, s.Schedule.Cron, s.Schedule.Zone
		return tx.ChangeConnector(con)
	})
}

// JudgeSync applies or discards a held sync, with a reason.
func (c *Console) JudgeSync(ctx context.Context, caller Caller, id, sync console.ID, apply bool, why string) error {
	return c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeConnector(tx, me, id, console.JudgeHeldSyncs); err != nil {
			return err
		}
		s, err := tx.Sync(sync)
		if err != nil {
			return err
		}
		if s.Connector != id {
			return baton.Errorf(baton.NotFound, "no sync")
		}
		if why = strings.TrimSpace(why); why == "" {
			return baton.Errorf(baton.Invalid, "the reason is missing").WithFix("Say why; it is kept with the decision.")
		}
		if !apply {
			return tx.EndSync(sync, console.SyncDiscarded, why)
		}
		proved := c.recentOrClient
		if slices.ContainsFunc(s.Holds, func(h console.Hold) bool { return h.Kind == console.HoldAdmins }) {
			proved = c.recent
		}
		if err := proved(caller); err != nil {
			return err
		}
		if err := tx.ConfirmSync(sync, why); err != nil {
			return err
		}
		return tx.SetDue(console.DueIngest, string(sync), c.now(), nil)
	})
}

// AppConnectors returns the connectors of an app, oldest first.
func (c *Console) AppConnectors(ctx context.Context, caller Caller, app console.ID) (all []ConnectorSummary, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		all = nil
		a, err := presentApp(tx, app)
		if err != nil {
			return err
		}
		connectors, err := tx.Connectors(app)
		if err != nil {
			return err
		}
		if err := console.SeeConnectors.Check(me, console.Object{App: &a}); err != nil && !slices.ContainsFunc(connectors, func(con console.Connector) bool {
			return console.SeeConnectors.Of(me, console.Object{App: &a, Connector: &con})
		}) {
			return hidden("app", err)
		}
		for _, con := range connectors {
			if !console.SeeConnectors.Of(me, console.Object{App: &a, Connector: &con}) {
				continue
			}
			s, err := c.connectorSummary(tx, con, a)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	})
	return all, err
}
