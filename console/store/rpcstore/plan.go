package rpcstore

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// plan is how an operation is carried out. Exactly one field is set.
type plan struct {
	work   rpc.Work
	manual string // why a person has to do it
	wait   bool   // it is not known yet
	later  bool   // the newest sync alone does not show the account
}

// planner plans operations of one connector for one host.
type planner struct {
	tx        *store.Tx
	now       time.Time
	connector string
	hello     *rpc.Hello // of the host; nil if it did not introduce itself
	moment    store.Moment
	held      map[console.EntitlementKey]heldOn
	actions   *Offer
	ask       bool // the connector must be asked for its actions
}

// heldOn is an entitlement with its resource, and the errors of reading them.
type heldOn struct {
	entitlement store.Entitlement
	missing     error
	resource    store.Resource
	err         error
}

// planner returns the only planner of the request.
func (l *lease) planner() (*planner, error) {
	if l.plans != nil {
		return l.plans, nil
	}
	hello, err := helloOf(l.tx, l.r.Connector, l.r.Host)
	if err != nil {
		return nil, err
	}
	c, err := l.of()
	if err != nil {
		return nil, err
	}
	s, err := l.tx.StreamAt(c.Stream, time.Time{})
	if err != nil {
		return nil, err
	}
	l.plans = &planner{tx: l.tx, now: l.now, connector: l.r.Connector, hello: hello, moment: store.Moment{Streams: []store.StreamAt{s}}, held: map[console.EntitlementKey]heldOn{}}
	return l.plans, nil
}

// on returns an entitlement with its resource. It caches them, because many operations may be about
// the same one.
func (p *planner) on(key console.EntitlementKey) heldOn {
	h, ok := p.held[key]
	if !ok {
		if h.entitlement, h.missing = p.tx.Entitlement(p.moment, key); h.missing == nil {
			h.resource, h.err = p.tx.Resource(p.moment, h.entitlement.Entitlement.Resource)
		}
		p.held[key] = h
	}
	return h
}

func (p *planner) plan(o console.Operation) (plan, error) {
	if o.Entitlement == console.AccountItself {
		return p.account(o)
	}
	h := p.on(o.Entitlement)
	if baton.KindOf(h.missing) == baton.NotFound {
		return plan{manual: "No sync shows the entitlement any more."}, nil
	}
	if h.missing != nil {
		return plan{}, h.missing
	}
	e, on, err := h.entitlement, h.resource, h.err
	if err == nil && e.Immutable {
		return plan{manual: "The connector can neither grant nor revoke it."}, nil
	}
	var principal store.Resource
	if err == nil {
		principal, err = p.tx.Resource(p.moment, o.Account)
	}
	if baton.KindOf(err) == baton.NotFound {
		return p.gone(o, "No sync shows the account, or what the entitlement is held on, any more.")
	}
	if err != nil {
		return plan{}, err
	}
	if p.cannot(on.Type, rpc.CanProvision) {
		return plan{manual: "The connector cannot change who holds entitlements of type " + strconv.Quote(on.Type) + "."}, nil
	}
	entitlement := rpc.Entitlement{ID: e.ID, Slug: e.Slug, DisplayName: e.Name, Description: e.Description, Purpose: baton.Purpose(e.Purpose), Resource: described(on)}
	if o.Verb == console.Grant {
		return plan{work: rpc.Work{Grant: &rpc.GrantWork{Entitlement: entitlement, Principal: described(principal)}}}, nil
	}
	id := console.UsualGrantID(e.ID, principal.Type, principal.ID)
	fact, err := p.tx.Fact(p.moment, o.Entitlement, o.Account)
	if err != nil {
		return plan{}, err
	}
	if fact != nil && fact.GrantID() != "" {
		id = fact.GrantID()
	}
	return plan{work: rpc.Work{Revoke: &rpc.RevokeWork{ID: id, Entitlement: entitlement, Principal: described(principal)}}}, nil
}

// gone plans what no connector can carry out, because the account is not shown any more.
func (p *planner) gone(o console.Operation, why string) (plan, error) {
	missing, err := p.tx.Missing(o.Account)
	if missing {
		return plan{later: true}, err
	}
	return plan{manual: why}, err
}

// cannot reports whether the host says that its connector lacks a capability for a resource type. If
// it says nothing, the result is false.
func (p *planner) cannot(resourceType string, c rpc.Capability) bool {
	if p.hello == nil {
		return false
	}
	for _, t := range p.hello.Connector.ResourceTypes {
		if t.ID == resourceType {
			return !slices.Contains(t.Capabilities, c)
		}
	}
	return false
}

// described returns a resource as the connector reported it.
func described(r store.Resource) baton.Resource {
	d := baton.Resource{ID: baton.ResourceID{Type: r.Type, ID: r.ID}, DisplayName: r.Name, Description: r.Description, Status: baton.Status(r.Status)}
	var profile map[string]any
	if json.Unmarshal(r.Profile, &profile) == nil {
		d.Profile = texts(profile)
	}
	if a := r.Account; a != nil {
		d.User = &baton.User{Login: a.Login, LoginAliases: a.Aliases, GivenName: a.GivenName, FamilyName: a.FamilyName, EmployeeIDs: a.EmployeeIDs}
		for i, address := range a.Emails {
			d.User.Emails = append(d.User.Emails, baton.Email{Address: address, Primary: i == 0})
		}
	}
	return d
}

// texts returns the string attributes of a profile. Other types have several encodings.
func texts(profile map[string]any) baton.Profile {
	var p baton.Profile
	for name, value := range profile {
		if s, ok := value.(string); ok {
			if p == nil {
				p = baton.Profile{}
			}
			p[name] = s
		}
	}
	return p
}

// account plans creating, enabling or disabling an account.
func (p *planner) account(o console.Operation) (plan, error) {
	if o.Account == 0 {
		return p.creation(o)
	}
	r, err := p.tx.Resource(p.moment, o.Account)
	if baton.KindOf(err) == baton.NotFound {
		return p.gone(o, "No sync shows the account any more.")
	}
	if err != nil {
		return plan{}, err
	}
	offer, err := p.offer()
	if err != nil || offer == nil {
		return plan{wait: err == nil}, err
	}
	want, word := baton.ActionAccountDisable, "disables"
	if o.Verb == console.Grant {
		want, word = baton.ActionAccountEnable, "enables"
	}
	work, ok := offer.ForAccount(want, r.Type, r.ID)
	if !ok {
		return plan{manual: "The connector names no action that " + word + " an account and needs nothing but its id."}, nil
	}
	return plan{work: rpc.Work{RunAction: &work}}, nil
}

// creation plans the creation of an account for a person.
func (p *planner) creation(o console.Operation) (plan, error) {
	if p.hello == nil {
		return plan{wait: true}, nil
	}
	person, err := p.tx.Person(o.Person)
	if err != nil {
		return plan{}, err
	}
	app, err := p.tx.App(o.App)
	if err != nil {
		return plan{}, err
	}
	a, err := planAccount(p.tx, p.hello.Connector, app, person, o.Input.Fields)
	if err != nil {
		return plan{}, err
	}
	if len(a.Missing) > 0 {
		return plan{manual: "The account cannot be created by the connector: " + strings.Join(a.Missing, " ")}, nil
	}
	return plan{work: rpc.Work{CreateAccount: &a.Work}}, nil
}

// offer returns the connector's actions; nil if they are not known yet.
func (p *planner) offer() (*Offer, error) {
	if p.actions != nil || p.ask {
		return p.actions, nil
	}
	if p.hello == nil || !slices.Contains(p.hello.Connector.Capabilities, rpc.CanRunActions) {
		if p.hello != nil {
			p.actions = &Offer{}
		}
		return p.actions, nil
	}
	offer, err := Actions(p.tx, p.connector)
	if err != nil {
		return nil, err
	}
	if offer.Known {
		p.actions = &offer
		return p.actions, nil
	}
	p.ask = !offer.Asked && !offer.Failed.After(p.now.Add(-askAgain))
	return nil, nil
}

// askAgain is the delay before a failed question about actions is repeated.
const askAgain = time.Minute

// Offer holds the known actions of a connector.
type Offer struct {
	Actions []rpc.Action
	Known   bool      // the connector has answered
	Asked   bool      // a task asks it
	Failed  time.Time // when it could not answer; zero if it could
}

// Actions returns the actions that a connector last reported.
func Actions(tx *store.Tx, connector string) (o Offer, err error) {
	open, err := OpenTask(tx, connector, rpc.ListActionsType)
	if err != nil {
		return o, err
	}
	o.Asked = open != nil
	_, finished, err := LastTasks(tx, connector, rpc.ListActionsType)
	if err != nil || finished == nil {
		return o, err
	}
	switch {
	case finished.Result.OK():
		o.Known, o.Actions = true, finished.Result.Actions
	case codes.Code(finished.Result.Code) == codes.Unimplemented:
		o.Known = true
	default:
		o.Failed = finished.Result.At
	}
	return o, nil
}

// Action returns an action by name.
func (o Offer) Action(name, resourceType string) (rpc.Action, bool) {
	for _, a := range o.Actions {
		if a.Name == name && a.ResourceType == resourceType {
			return a, true
		}
	}
	return rpc.Action{}, false
}

// ForAccount returns the work that runs an action of a type on an account. ok is false if the
// connector has no such action, or if it needs more than the account's id.
func (o Offer) ForAccount(typ baton.ActionType, resourceType, id string) (w rpc.RunActionWork, ok bool) {
	for _, a := range o.Actions {
		if !slices.Contains(a.Types, typ) || a.ResourceType != "" && a.ResourceType != resourceType {
			continue
		}
		if name, ok := AccountArgument(a); ok {
			return rpc.RunActionWork{Name: a.Name, ResourceType: a.ResourceType, Arguments: baton.Profile{name: id}}, true
		}
	}
	return w, false
}

// accountArguments are usual names of the argument with the id of an account.
var accountArguments = []string{"user_id", "account_id", "resource_id", "principal_id", "id"}

// AccountArguments returns usual names of the argument with the id of an account.
func AccountArguments() []string { return slices.Clone(accountArguments) }

// AccountArgument returns the argument of an action that takes the id of the account: its only
// required one. ok is false if there are others, or if it is not a string.
func AccountArgument(a rpc.Action) (name string, ok bool) {
	for _, f := range a.Arguments {
		if !f.Required {
			continue
		}
		if name != "" || f.Kind != rpc.StringField {
			return "", false
		}
		name = f.Name
	}
	if name != "" {
		return name, true
	}
	for _, f := range a.Arguments {
		if slices.Contains(accountArguments, f.Name) && f.Kind == rpc.StringField {
			return f.Name, true
		}
	}
	return "", false
}

// NewAccount returns the work that creates an account for a person. The connector's fields have the
// chosen values; the others are filled from the person. missing is why it cannot be created, for
// display.
func NewAccount(d rpc.Description, person console.Person, chosen map[string]string) (w rpc.CreateAccountWork, missing []string) {
	var types []string
	for _, t := range d.ResourceTypes {
		if slices.Contains(t.Capabilities, rpc.CanCreateAccounts) {
			types = append(types, t.ID)
		}
	}
	switch {
	case len(types) == 0 && !slices.Contains(d.Capabilities, rpc.CanCreateAccounts):
		return w, []string{"It says that it creates no accounts."}
	case len(types) > 1:
		return w, []string{"It creates accounts of several types: " + strings.Join(types, ", ") + "."}
	case len(types) == 1:
		w.ResourceType = types[0]
	}
	if len(person.Emails) == 0 {
		return w, []string{person.Name + " has no e-mail address."}
	}
	w.Login, w.Emails = person.Emails[0], []baton.Email{{Address: person.Emails[0], Primary: true}}
	switch {
	case len(d.Passwords) == 0 || slices.Contains(d.Passwords, rpc.NoPassword):
		w.Password.Kind = rpc.NoPassword
	case slices.Contains(d.Passwords, rpc.SingleSignOn):
		w.Password.Kind = rpc.SingleSignOn
	default:
		missing = append(missing, "It wants a password, and the console makes none.")
	}
	w.Profile = baton.Profile{}
	for _, f := range d.AccountFields {
		text, ok := chosen[f.Name]
		if !ok {
			text = FromPerson(f.Name, person)
		}
		label := f.DisplayName
		if label == "" {
			label = f.Name
		}
		if text = strings.TrimSpace(text); text == "" {
			if f.Required {
				missing = append(missing, label+" is required and not known.")
			}
			continue
		}
		value, err := fieldValue(f.Kind, text)
		if err != nil {
			missing = append(missing, label+" "+err.Error()+".")
			continue
		}
		w.Profile[f.Name] = value
	}
	return w, missing
}

// FromPerson returns the value of a new account's field from a person; "" if there is none.
func FromPerson(field string, p console.Person) string {
	given, family, _ := strings.Cut(strings.Join(strings.Fields(p.Name), " "), " ")
	switch strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(field)) {
	case "displayname", "name", "fullname":
		return p.Name
	case "email", "emailaddress", "primaryemail", "mail", "login", "username":
		if len(p.Emails) > 0 {
			return p.Emails[0]
		}
	case "firstname", "givenname":
		return given
	case "lastname", "familyname", "surname":
		return family
	case "department":
		return p.Department
	}
	return ""
}

// fieldValue converts an entered text to the kind of its field.
func fieldValue(kind rpc.FieldKind, text string) (any, error) {
	switch kind {
	case rpc.StringField:
		return text, nil
	case rpc.BoolField:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "is yes or no, not %q", text)
		}
		return b, nil
	case rpc.IntField:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "is a number, not %q", text)
		}
		return float64(n), nil
	case rpc.StringsField:
		var list []string
		for _, line := range strings.Split(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				list = append(list, line)
			}
		}
		return list, nil
	}
	return nil, baton.Errorf(baton.Unsupported, "is of a kind that the console does not know")
}

// FieldValues converts entered texts to the kinds of their fields, by name. The error is Invalid and
// names every wrong field.
func FieldValues(fields []rpc.Field, entered map[string]string) (baton.Profile, error) {
	values := baton.Profile{}
	var wrong []string
	for _, f := range fields {
		label := f.DisplayName
		if label == "" {
			label = f.Name
		}
		text := strings.TrimSpace(entered[f.Name])
		if text == "" {
			if f.Required {
				wrong = append(wrong, label+" is required")
			}
			continue
		}
		value, err := fieldValue(f.Kind, text)
		if err != nil {
			wrong = append(wrong, label+" "+err.Error())
			continue
		}
		values[f.Name] = value
	}
	if len(wrong) > 0 {
		return nil, baton.Errorf(baton.Invalid, "%s", strings.Join(wrong, "; "))
	}
	return values, nil
}
