package approve

import (
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/condition"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// formerOwner is how long a former owner of an account may not decide about it.
const formerOwner = 30 * 24 * time.Hour

// maxConditionHeld limits the entitlements of a person in the input of conditions.
const maxConditionHeld = 1000

// Situation holds the current facts about a request.
type Situation struct {
	App         console.App
	Entitlement store.Entitlement // only key and name for [console.AccountItself]
	On          store.Resource    // the resource of the entitlement; zero if no sync shows it
	Role        *console.AppRole  // the role that the entitlement gives; nil if none
	Admin       bool              // it gives administrator rights, at least to these people
	Connector   console.Connector
	Able        bool // the connector can make the change
	// MakesAccounts means that the connector can create accounts.
	MakesAccounts bool
	Subject       console.Person
	Requester     console.Person
	Account       *store.Resource // the subject's account; nil if there is none
	Settings      console.RequestSettings
	Policy        console.Policy
	PolicyFrom    string // why this policy applies, for display; "" if it is fixed
	Held          bool   // a newer sync of the connector is held
	Data          console.SyncNumber
	// Requirement is whether the subject meets the requirement of the entitlement.
	Requirement store.RequirementStatus

	now    time.Time
	tx     *store.Tx
	r      console.Request
	moment store.Moment
	barred map[console.ID]string
	input  *condition.Input
	// removal is the undecided request to remove the access that is given back; nil if there is
	// none.
	removal *console.Request
	// missing is an account of the subject that the newest sync alone does not show.
	missing console.ResourceKey
}

// Look returns the current facts about a request.
func Look(t *store.Tx, r console.Request, now time.Time) (*Situation, error) {
	s := &Situation{now: now, tx: t, r: r, barred: map[console.ID]string{}}
	for _, step := range []func() error{s.people, s.entitlement, s.account, s.amended, s.settings, s.requirement} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Situation) people() (err error) {
	subject := s.r.Subject
	if subject == "" && s.r.Account != 0 { // somebody may own it by now
		if subject, _, err = s.tx.AccountPerson(s.r.Account, time.Time{}); err != nil {
			return err
		}
	}
	if s.Subject, err = s.person(subject); err != nil {
		return err
	}
	s.Requester, err = s.person(s.r.Requester)
	return err
}

// person returns the person that an ID was merged into; the zero value for an empty ID.
func (s *Situation) person(id console.ID) (console.Person, error) {
	if id == "" {
		return console.Person{}, nil
	}
	p, err := s.tx.Person(id)
	if err == nil && p.MergedInto != "" {
		p, err = s.tx.Person(p.MergedInto)
	}
	return p, err
}

// AccountName is the name of [console.AccountItself] in lists of entitlements.
const AccountName = "An account"

func (s *Situation) entitlement() (err error) {
	if s.App, err = s.tx.App(s.r.App); err != nil {
		return err
	}
	if !s.App.Removed.IsZero() {
		return baton.Errorf(baton.NotFound, "no app")
	}
	if s.moment, err = s.tx.Moment(s.App.ID, time.Time{}); err != nil {
		return err
	}
	if s.r.Entitlement == console.AccountItself {
		s.Entitlement.Name = AccountName
		return s.accountConnector()
	}
	if s.Entitlement, err = s.tx.Entitlement(s.moment, s.r.Entitlement); err != nil {
		return err
	}
	if s.On, err = s.tx.Resource(s.moment, s.Entitlement.Entitlement.Resource); err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	for i, role := range s.App.Roles.Roles {
		if slices.Contains(role.Entitlements, s.r.Entitlement) {
			s.Role = &s.App.Roles.Roles[i]
			break
		}
	}
	s.Admin = s.App.Roles.GivesAdmin(s.r.Entitlement)
	if s.Connector, err = s.connectorOf(s.Entitlement.Stream); err != nil {
		return err
	}
	hello, err := helloOf(s.tx, s.Connector.ID)
	if len(s.App.Roles.Roles) == 0 {
		s.supposeRole(hello.d.Roles)
	}
	s.Able = hello.can(s.On.Type, rpc.CanProvision) && !s.Entitlement.Immutable
	s.MakesAccounts = rpcstore.MakesAccounts(hello.d)
	return err
}

// supposeRole treats an entitlement as administrator if the connector's hints or its name suggest
// it, while the roles of the app are not mapped: an unknown role must be assumed to be the worst.
func (s *Situation) supposeRole(hints *baton.RoleHints) {
	p := console.ProposeRoles(hints, []console.RoleCandidate{{Key: s.Entitlement.Key, Slug: s.Entitlement.Slug,
		ResourceType: s.On.Type, ResourceID: s.On.ID, ResourceName: s.On.Name}})
	if p.Map.GivesAdmin(s.Entitlement.Key) {
		s.Role, s.Admin = &p.Map.Roles[0], true
	}
}

func (s *Situation) connectorOf(stream console.Stream) (console.Connector, error) {
	for _, at := range s.moment.Streams {
		if at.Stream == stream {
			s.Data = at.Sync
			return s.withHeld(at.Connector)
		}
	}
	return console.Connector{}, baton.Errorf(baton.NotFound, "no connector shows the entitlement")
}

func (s *Situation) withHeld(id console.ID) (console.Connector, error) {
	held, err := s.tx.HeldSync(id)
	if err != nil {
		return console.Connector{}, err
	}
	s.Held = held != nil
	return s.tx.Connector(id)
}

// accountConnector finds the connector that creates accounts in the app.
func (s *Situation) accountConnector() error {
	connectors, err := s.tx.Connectors(s.App.ID)
	if err != nil {
		return err
	}
	if len(connectors) == 0 {
		return baton.Errorf(baton.NotFound, "the application has no connector")
	}
	chosen, shown := connectors[0], console.Stream(0)
	if s.r.Account != 0 { // the connector whose syncs show it
		a, err := s.tx.Account(s.moment, s.r.Account)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		shown = a.Stream
	}
	for _, c := range connectors {
		if shown != 0 && c.Stream != shown {
			continue
		}
		hello, err := helloOf(s.tx, c.ID)
		if err != nil {
			return err
		}
		if shown != 0 {
			chosen = c
		}
		if rpcstore.MakesAccounts(hello.d) {
			chosen, s.Able, s.MakesAccounts = c, true, true
			break
		}
	}
	if head, err := s.tx.HeadSync(chosen.Stream); err != nil {
		return err
	} else if head != nil {
		s.Data = head.Number
	}
	s.Connector, err = s.withHeld(chosen.ID)
	return err
}

// abilities are the last description of a connector by its host.
type abilities struct{ d rpc.Description }

func helloOf(t *store.Tx, connector console.ID) (a abilities, err error) {
	hosts, err := rpcstore.Hosts(t, string(connector))
	var last time.Time
	for _, h := range hosts {
		if h.Last.After(last) {
			last, a.d = h.Last, h.Hello.Connector
		}
	}
	return a, err
}

func (a abilities) can(typ string, c rpc.Capability) bool {
	i := slices.IndexFunc(a.d.ResourceTypes, func(d rpc.TypeDescription) bool { return d.ID == typ })
	if i >= 0 && len(a.d.ResourceTypes[i].Capabilities) > 0 {
		return slices.Contains(a.d.ResourceTypes[i].Capabilities, c)
	}
	return slices.Contains(a.d.Capabilities, c)
}

// account finds the subject's account in the stream of the entitlement.
func (s *Situation) account() error {
	keys := []console.ResourceKey{s.r.Account} // without an owner
	if s.Subject.ID != "" {
		var err error
		if keys, err = s.tx.AccountsOf(s.Subject.ID); err != nil {
			return err
		}
	}
	for _, key := range keys {
		a, err := s.tx.Account(s.moment, key)
		if baton.KindOf(err) == baton.NotFound { // of another app, or gone
			if err := s.look(key); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if a.Stream != s.Connector.Stream || s.r.Account != 0 && key != s.r.Account {
			continue
		}
		// An enabled account is preferred.
		if s.Account == nil || !console.HasAccount(true, s.Account.Status) && console.HasAccount(true, a.Status) {
			s.Account = &a
		}
	}
	if s.Account == nil && s.r.Account != 0 && s.r.ID == "" && s.missing == 0 {
		return baton.Errorf(baton.NotFound, "no such account of %s", s.Subject.Name)
	}
	if s.Account == nil {
		return nil
	}
	former, err := s.tx.OwnersSince(s.Account.Key, s.now.Add(-formerOwner))
	for _, p := range former {
		if err == nil {
			p, err = s.tx.Canonical(p)
		}
		if p != s.Subject.ID {
			s.barred[p] = "owned this account in the last 30 days"
		}
	}
	return err
}

// look remembers an account of the subject that is missing in the newest sync alone.
func (s *Situation) look(key console.ResourceKey) error {
	if s.r.Account != 0 && key != s.r.Account {
		return nil
	}
	app, err := s.tx.AppOfResource(key)
	if err != nil || app != s.App.ID {
		return err
	}
	missing, err := s.tx.Missing(key)
	if missing {
		s.missing = key
	}
	return err
}

// amended checks what the people of the request changed themselves: such changes do not apply to
// their own requests.
func (s *Situation) amended() error {
	for _, author := range []console.Person{s.Subject, s.Requester} {
		if author.ID == "" {
			continue
		}
		all, err := s.tx.AmendmentsBy(author.ID, s.App.ID)
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.Kind != console.AmendApp {
				continue
			}
			before, after, err := guardsIn(a)
			if err != nil {
				return err
			}
			s.Admin = s.Admin || before.Roles.GivesAdmin(s.r.Entitlement)
			for _, owner := range after.Owners {
				if !slices.Contains(before.Owners, owner) && s.barred[owner] == "" {
					s.barred[owner] = "was made an owner by " + author.Name
				}
			}
		}
	}
	return nil
}

// settings finds the settings and the policy that apply.
func (s *Situation) settings() error {
	app, err := s.settingsOf(console.WholeApp)
	if err != nil {
		return err
	}
	own, err := s.settingsOf(s.r.Entitlement)
	if err != nil {
		return err
	}
	s.Settings = own.Resolve(app, s.Admin)
	if s.r.Policy != "" { // fixed when it was filed
		s.Policy, err = s.tx.PolicyVersion(s.r.Policy, s.r.PolicyVersion)
		return err
	}
	id, origin := s.Settings.Deciding(s.r, own, app)
	s.PolicyFrom = origin
	versions, err := s.tx.PolicyVersions(id)
	if err != nil {
		return err
	}
	counts := false
	if s.Policy, counts = console.PolicyFor(versions, s.party); counts {
		return nil
	}
	return baton.Errorf(baton.Refused, "every version of the policy “%s” was written by somebody of this request", versions[0].Name).
		WithFix("Let somebody else write a version of it.")
}

func (s *Situation) settingsOf(e console.EntitlementKey) (console.RequestSettings, error) {
	versions, err := s.tx.RequestSettings(s.App.ID, e)
	return console.SettingsFor(versions, s.party), err
}

// party reports whether a person is the requester or the subject.
func (s *Situation) party(person console.ID) bool {
	if person == "" {
		return false
	}
	person = s.canonical(person)
	return person == s.Subject.ID || person == s.Requester.ID
}

// Decided returns the people who decided the steps before the current one.
func (s *Situation) Decided(entries []console.RequestEntry) []console.ID {
	people := console.Decided(entries, s.r.Round)
	for i, p := range people {
		people[i] = s.canonical(p)
	}
	return people
}

// Material returns the basis of the decisions about the request; see [console.Material].
func (s *Situation) Material() string {
	var account console.ResourceKey
	if s.Account != nil && !strings.Contains(s.r.Material, "account 0 ") { // getting an account does not change the request
		account = s.Account.Key
	} else if s.Account == nil && !strings.Contains(s.r.Material, "account 0 ") {
		account = s.missing // it is no other account: it may be shown again
	}
	return console.Material(s.Role, account, s.Subject.ID, s.r.Emergency)
}

// Case returns the input for evaluating a policy.
func (s *Situation) Case() console.Case {
	c := console.Case{Subject: s.Subject.ID, Requester: s.Requester.ID, Barred: s.barred, People: s.approvers, Match: s.match, Delegate: s.delegate}
	if s.r.ID != "" {
		c.LastResort = console.LastResort()
	}
	return c
}

// AutomationCase returns the input for the policy about the request of a person that an automation of an
// app runs for the person of an execution. Conditions see the name of the automation as that of the
// entitlement.
func AutomationCase(t *store.Tx, app console.App, automation string, x console.AutomationExecution, requester console.ID) (console.Case, error) {
	now := t.By().At
	s := &Situation{App: app, now: now, tx: t, barred: map[console.ID]string{},
		r: console.Request{ID: x.ID, Kind: console.RequestGrant, App: app.ID, Subject: x.Person, Requester: requester, Form: x.Trigger.Form, Why: x.Trigger.Why}}
	s.Entitlement.Name = automation
	if s.r.Form == nil {
		s.r.Form = map[string]string{}
	}
	err := s.people()
	return s.Case(), err
}

func (s *Situation) delegate(p console.ID) (console.ID, error) {
	d, err := s.tx.Delegation(p)
	if err != nil || !d.Active(s.now) {
		return "", err
	}
	people, err := s.active([]console.ID{d.Delegate})
	if err != nil || len(people) == 0 {
		return "", err
	}
	return people[0], nil
}

// active returns the active people in a list as canonical persons, without duplicates.
func (s *Situation) active(ids []console.ID) (people []console.ID, err error) {
	for _, id := range ids {
		p, err := s.person(id)
		if baton.KindOf(err) == baton.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if p.Status == console.PersonActive && !slices.Contains(people, p.ID) {
			people = append(people, p.ID)
		}
	}
	return people, nil
}

// approvers returns the people that an approver stands for.
func (s *Situation) approvers(a console.Approver) ([]console.ID, error) {
	switch a.Kind {
	case console.ApproverPerson:
		return s.active([]console.ID{a.Person})
	case console.ApproverManager:
		if s.Subject.Manager == "" {
			return nil, nil
		}
		return s.active([]console.ID{s.Subject.Manager})
	case console.ApproverAppOwner:
		return s.active(s.App.Owners)
	case console.ApproverEntitlementOwner:
		return s.active(s.Settings.Owners)
	case console.ApproverRole:
		ids, err := s.tx.PersonsWithRole(a.Role, console.MaxApprovers+1)
		return limited(ids), err
	case console.ApproverGroup:
		return s.group(a)
	case console.ApproverExpression:
		return s.expression(a.Expression)
	}
	return nil, baton.Errorf(baton.Invalid, "there is no kind of approvers %q", a.Kind)
}

// limited returns the list, or nobody if it is too long.
func limited(ids []console.ID) []console.ID {
	if len(ids) > console.MaxApprovers {
		return nil
	}
	return ids
}

// group returns the people who hold an entitlement.
func (s *Situation) group(a console.Approver) ([]console.ID, error) {
	m, err := s.tx.Moment(a.App, time.Time{})
	if err != nil {
		return nil, err
	}
	e, err := s.tx.EntitlementByID(m, a.Entitlement)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil // gone, so nobody holds it
	}
	if err != nil {
		return nil, err
	}
	holders, err := s.tx.Holders(m, e.Key, store.HolderAfter{}, 2*console.MaxApprovers)
	if err != nil {
		return nil, err
	}
	if len(holders) == 2*console.MaxApprovers {
		return nil, nil // there may be more people than can be asked
	}
	var ids []console.ID
	for _, h := range holders {
		if h.Principal.Account == nil || !console.HasAccount(true, h.Principal.Status) {
			continue
		}
		person, active, err := s.tx.AccountPerson(h.Principal.Key, time.Time{})
		if err != nil {
			return nil, err
		}
		if active && !slices.Contains(ids, person) {
			ids = append(ids, person)
		}
	}
	return limited(ids), nil
}

func (s *Situation) expression(text string) ([]console.ID, error) {
	c, err := condition.CompilePeople(text)
	if err != nil {
		return nil, err
	}
	in, err := s.conditionInput(text)
	if err != nil {
		return nil, err
	}
	names, err := c.People(in)
	if err != nil {
		return nil, err
	}
	var ids []console.ID
	for _, name := range names {
		p, err := s.tx.PersonByEmail(name)
		switch {
		case err == nil:
			ids = append(ids, p.ID)
		case baton.KindOf(err) == baton.NotFound:
			ids = append(ids, console.ID(name))
		default:
			return nil, err
		}
	}
	people, err := s.active(ids)
	return limited(people), err
}

func (s *Situation) match(text string) (bool, error) {
	c, err := condition.Compile(text)
	if err != nil {
		return false, err
	}
	in, err := s.conditionInput(text)
	if err != nil {
		return false, err
	}
	return c.Holds(in)
}

// conditionInput returns the input of conditions. It only reads what people hold if a condition uses
// that.
func (s *Situation) conditionInput(text string) (condition.Input, error) {
	if s.input == nil {
		r := s.r
		length, limited := r.Term.Length(later(r.Start, s.now))
		s.input = &condition.Input{
			Subject: condition.PersonOf(s.Subject), Requester: condition.PersonOf(s.Requester), App: condition.App{ID: string(s.App.ID), Name: valid(s.App.Name)},
			Entitlement: condition.Entitlement{ID: valid(s.Entitlement.ID), Name: valid(s.Entitlement.Name), Slug: valid(s.Entitlement.Slug), Resource: valid(s.On.Name),
				ResourceType: valid(s.On.Type), Admin: s.Admin},
			Request: condition.Request{Kind: string(r.Kind), OpenEnded: !limited, Emergency: r.Emergency, Justification: valid(r.Why), Form: r.Form},
			Now:     s.now,
		}
		if limited {
			s.input.Request.Duration = time.Duration(length)
		}
		if s.Role != nil {
			s.input.Entitlement.Role = s.Role.Name
		}
	}
	if strings.Contains(text, "entitlements") && s.input.Subject.Entitlements == nil {
		var err error
		if s.input.Subject.Entitlements, err = EntitlementsOf(s.tx, s.Subject.ID); err != nil {
			return *s.input, err
		}
		if s.input.Requester.Entitlements, err = EntitlementsOf(s.tx, s.Requester.ID); err != nil {
			return *s.input, err
		}
	}
	return *s.input, nil
}

// valid converts text of an upstream to valid UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// EntitlementsOf returns the ids of the entitlements of a person's accounts, in all apps.
func EntitlementsOf(t *store.Tx, person console.ID) ([]string, error) {
	ids := []string{}
	keys, err := t.AccountsOf(person)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		app, err := t.AppOfResource(key)
		if err != nil {
			return nil, err
		}
		m, err := t.Moment(app, time.Time{})
		if err != nil {
			return nil, err
		}
		facts, err := t.HeldBy(m, key, 0, maxConditionHeld)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			e, err := t.Entitlement(m, f.Entitlement)
			if baton.KindOf(err) == baton.NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			if ids = append(ids, valid(e.ID)); len(ids) > maxConditionHeld {
				return nil, baton.Errorf(baton.Refused, "the person holds more than %d entitlements", maxConditionHeld)
			}
		}
	}
	return ids, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
