package govern

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/condition"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// ProvisioningView says how accounts of an app are made and disabled.
type ProvisioningView struct {
	App        console.App
	Current    console.Provisioning
	Connectors []AccountConnector
	// MasteredIn is where the product of a connector says that it is decided who holds what; ""
	// if none does.
	MasteredIn string
	// Masters are the identity providers that can be chosen for it; MastersNote is what to know about
	// them.
	Masters      []string
	MastersNote  string
	MayConfigure bool
}

// AccountConnector is a connector of an app and what it can do with accounts.
type AccountConnector struct {
	Connector console.Connector
	Described bool // a host has said what it can do
	Makes     bool // it makes accounts
	Fields    []NewAccountField
	Password  bool // it wants a password for each of them
	// ActionsKnown says that it said which actions it offers. Disable and Enable are those that
	// it names for accounts; nil if it names none.
	ActionsKnown    bool
	Disable, Enable *rpc.Action
}

// NewAccountField is a field that a connector asks for of a new account.
type NewAccountField struct {
	rpc.Field
	// Example is the value without an expression, for Jane Smith of Sales; "" if the field's name
	// says nothing.
	Example string
}

// Label returns what the field is called.
func (f NewAccountField) Label() string { return rpcstore.AccountField{Field: f.Field}.Label() }

// examplePerson is somebody for whom examples are.
var examplePerson = console.Person{Name: "Jane Smith", Emails: []string{"jane.smith@example.com"}, Department: "Sales"}

// Provisioning returns how accounts of an app are made and disabled.
func (c *Console) Provisioning(ctx context.Context, caller Caller, app console.ID) (v ProvisioningView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		v, err = c.provisioning(tx, me, a)
		return err
	})
	return v, err
}

func (c *Console) provisioning(tx *store.Tx, me console.Person, a console.App) (v ProvisioningView, err error) {
	v = ProvisioningView{App: a, MayConfigure: console.ConfigureApps.Of(me, console.Object{App: &a})}
	if v.Current, err = tx.Provisioning(a.ID); err != nil {
		return v, err
	}
	connectors, err := tx.Connectors(a.ID)
	if err != nil {
		return v, err
	}
	for _, con := range connectors {
		row := AccountConnector{Connector: con}
		var d rpc.Description
		if d, row.Described, err = rpcstore.Describe(tx, string(con.ID)); err != nil {
			return v, err
		}
		row.Makes = rpcstore.MakesAccounts(d)
		for _, f := range d.AccountFields {
			row.Fields = append(row.Fields, NewAccountField{f, rpcstore.FromPerson(f.Name, examplePerson)})
		}
		row.Password = len(d.Passwords) > 0 && !slices.Contains(d.Passwords, rpc.NoPassword) && !slices.Contains(d.Passwords, rpc.SingleSignOn)
		offer, err := rpcstore.Actions(tx, string(con.ID))
		if err != nil {
			return v, err
		}
		row.ActionsKnown = offer.Known
		row.Disable, row.Enable = actionOf(offer, baton.ActionAccountDisable), actionOf(offer, baton.ActionAccountEnable)
		v.Connectors = append(v.Connectors, row)
		if p, err := c.Product(strings.TrimPrefix(con.Product, "baton-")); err == nil && v.MasteredIn == "" {
			v.MasteredIn, v.Masters, v.MastersNote = p.Roles.MasteredIn, p.Roles.Masters, p.Roles.MastersNote
		}
	}
	if len(v.Masters) == 0 {
		v.Masters = Generic.Roles.Masters
	}
	return v, nil
}

func actionOf(o rpcstore.Offer, typ baton.ActionType) *rpc.Action {
	for i, a := range o.Actions {
		if slices.Contains(a.Types, typ) {
			return &o.Actions[i]
		}
	}
	return nil
}

// The longest texts of how accounts are made, in characters.
const (
	maxWelcome  = 1000
	maxMastered = 200
)

// checkProvisioning refuses what cannot be meant.
func checkProvisioning(v ProvisioningView, p console.Provisioning) error {
	for name, text := range p.Fields {
		known := slices.ContainsFunc(v.Connectors, func(c AccountConnector) bool {
			return slices.ContainsFunc(c.Fields, func(f NewAccountField) bool { return f.Name == name })
		})
		if !known {
			return baton.Errorf(baton.Invalid, "no connector of the application has a field %q of new accounts", name)
		}
		if _, err := condition.CompileValue(text); err != nil {
			return baton.Errorf(baton.Invalid, "%s: %w", name, err)
		}
	}
	if utf8.RuneCountInString(p.Welcome) > maxWelcome {
		return baton.Errorf(baton.Invalid, "what people are told is longer than %d characters", maxWelcome)
	}
	return checkMastered(p.MasteredIn)
}

func checkMastered(where string) error {
	if utf8.RuneCountInString(where) > maxMastered {
		return baton.Errorf(baton.Invalid, "where it is decided is longer than %d characters", maxMastered)
	}
	return nil
}

// SetProvisioning sets how accounts of an app are made. p.Version is the version that the
// caller saw. Where single entitlements are mastered is set by [Console.SetMaster].
func (c *Console) SetProvisioning(ctx context.Context, caller Caller, app console.ID, p console.Provisioning) error {
	return c.change(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.ConfigureApps)
		if err != nil {
			return err
		}
		v, err := c.provisioning(tx, me, a)
		if err != nil {
			return err
		}
		p := cleaned(p)
		if err := checkProvisioning(v, p); err != nil {
			return err
		}
		p.Masters = v.Current.Masters
		return tx.SetProvisioning(a.ID, p)
	})
}

// cleaned returns what somebody entered, without what is empty.
func cleaned(p console.Provisioning) console.Provisioning {
	fields := map[string]string{}
	for name, text := range p.Fields {
		if text = strings.TrimSpace(text); text != "" {
			fields[name] = text
		}
	}
	p.Fields, p.Welcome, p.MasteredIn = fields, strings.TrimSpace(p.Welcome), strings.TrimSpace(p.MasteredIn)
	return p
}

// SetMaster says where it is decided who holds an entitlement; "" as the app says,
// [console.HereItself] in the app.
func (c *Console) SetMaster(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey, where string) error {
	return c.change(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.ConfigureApps)
		if err != nil {
			return err
		}
		where := strings.TrimSpace(where)
		if err := checkMastered(where); err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, c.now())
		if err != nil {
			return err
		}
		if _, err := tx.Entitlement(m, e); err != nil {
			return err
		}
		p, err := tx.Provisioning(a.ID)
		if err != nil || p.Masters[e] == where {
			return err
		}
		if p.Masters == nil {
			p.Masters = map[console.EntitlementKey]string{}
		}
		if p.Masters[e] = where; where == "" {
			delete(p.Masters, e)
		}
		return tx.SetProvisioning(a.ID, p)
	})
}

// masterOf returns where it is decided who holds an entitlement: as somebody said, or else
// as the product of the connector does; "" in the app, or not known.
func (c *Console) masterOf(tx *store.Tx, m store.Moment, app console.ID, e store.Entitlement, on string) (string, error) {
	said, err := tx.Provisioning(app)
	if err != nil {
		return "", err
	}
	if where, known := said.MasterOf(e.Key); known {
		return where, nil
	}
	product, err := c.productOf(tx, m, e.Stream)
	if err != nil || product.Roles.Type == "" || product.Roles.Type != on {
		return "", err
	}
	return product.Roles.MasteredIn, nil
}

// masterOfKey does what [Console.masterOf] does, for an entitlement that may be gone.
func (c *Console) masterOfKey(tx *store.Tx, m store.Moment, app console.ID, key console.EntitlementKey) (string, error) {
	e, err := tx.Entitlement(m, key)
	var on store.Resource
	if err == nil {
		on, err = tx.Resource(m, e.Entitlement.Resource)
	}
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return "", err
	}
	e.Key = key
	return c.masterOf(tx, m, app, e, on.Type)
}

// AccountField is a field of a new account with its value.
type AccountField = rpcstore.AccountField

// AccountTest is how a connector would make an account for somebody.
type AccountTest struct {
	Connector console.Connector
	Person    console.Person
	rpcstore.AccountPlan
}

// TestProvisioning returns which accounts connectors would make for the person with an
// address, if p were set, and changes nothing.
func (c *Console) TestProvisioning(ctx context.Context, caller Caller, app console.ID, p console.Provisioning, email string) (all []AccountTest, err error) {
	err = c.read(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		all = nil
		a, err := seeApp(tx, me, app, console.ConfigureApps)
		if err != nil {
			return err
		}
		v, err := c.provisioning(tx, me, a)
		if err != nil {
			return err
		}
		p := cleaned(p)
		if err := checkProvisioning(v, p); err != nil {
			return err
		}
		person, err := personForAccount(tx, email)
		if err != nil {
			return err
		}
		for _, row := range v.Connectors {
			d, ok, err := rpcstore.Describe(tx, string(row.Connector.ID))
			if err != nil {
				return err
			}
			if ok && row.Makes {
				all = append(all, AccountTest{row.Connector, person, rpcstore.FillAccount(d, p, a, person, nil)})
			}
		}
		if len(all) == 0 {
			return baton.Errorf(baton.Refused, "no connector of the application says that it makes accounts").WithFix("Start the connector, with provisioning switched on.")
		}
		return nil
	})
	return all, err
}

// personForAccount returns the person with an address. Whoever configures an app may name
// anybody: the app gets to know the person.
func personForAccount(tx *store.Tx, email string) (console.Person, error) {
	p, err := tx.PersonByEmail(email)
	if baton.KindOf(err) == baton.NotFound {
		err = baton.Errorf(baton.Invalid, "nobody has the address %q", console.NormalizeEmail(email)).WithFix("Add the person first.")
	}
	return p, err
}
