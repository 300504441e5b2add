// Package automate runs automations: it starts them when their triggers fire, does their steps, and
// shows in a dry run what they would do. Its functions run within a command's transaction. The effects
// of a step are written together with the record of the step, so that a process that dies between two
// steps neither loses nor repeats one.
package automate

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/condition"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// run is an execution with the current facts that its steps need.
type run struct {
	t       *store.Tx
	now     time.Time
	a       console.Automation
	v       console.AutomationVersion
	x       console.AutomationExecution
	app     console.App
	moment  store.Moment
	subject console.Person  // zero for nobody
	account *store.Resource // nil if there is none, or no sync shows it
	results map[string]any
	dry     bool
}

// load reads the facts for the next step.
func load(t *store.Tx, a console.Automation, v console.AutomationVersion, x console.AutomationExecution, now time.Time) (*run, error) {
	r := &run{t: t, now: now, a: a, v: v, x: x, results: map[string]any{}}
	return r, r.refresh()
}

func (r *run) refresh() (err error) {
	if r.app, err = r.t.App(r.a.App); err != nil {
		return err
	}
	if r.moment, err = r.t.Moment(r.app.ID, time.Time{}); err != nil {
		return err
	}
	r.subject, r.account = console.Person{}, nil
	person, account := r.x.Person, r.x.Account
	if person == "" && account != 0 {
		if person, _, err = r.t.AccountPerson(account, time.Time{}); err != nil {
			return err
		}
	}
	if person != "" {
		if r.subject, err = canonicalPerson(r.t, person); err != nil {
			return err
		}
	}
	if account == 0 && r.subject.ID != "" { // it may have got one meanwhile
		keys, err := accountsIn(r.t, r.moment, r.subject.ID)
		if err != nil {
			return err
		}
		if len(keys) == 1 {
			account = keys[0]
		}
	}
	if account == 0 {
		return nil
	}
	found, err := r.t.Account(r.moment, account)
	if baton.KindOf(err) == baton.NotFound {
		return nil
	}
	r.account = &found
	return err
}

func canonicalPerson(t *store.Tx, id console.ID) (console.Person, error) {
	p, err := t.Person(id)
	if err == nil && p.MergedInto != "" {
		p, err = t.Person(p.MergedInto)
	}
	return p, err
}

// accountsIn returns the accounts of a person that a moment of an app shows.
func accountsIn(t *store.Tx, m store.Moment, person console.ID) (all []console.ResourceKey, err error) {
	keys, err := t.AccountsOf(person)
	for _, k := range keys {
		if err != nil {
			return nil, err
		}
		if _, err = t.Account(m, k); err == nil {
			all = append(all, k)
		} else if baton.KindOf(err) == baton.NotFound {
			err = nil
		}
	}
	return all, err
}

// input returns what an expression sees. What people hold is only read if it uses that.
func (r *run) input(text string) (in condition.AutomationInput, err error) {
	in = condition.AutomationInput{Subject: condition.PersonOf(r.subject), App: condition.App{ID: string(r.app.ID), Name: valid(r.app.Name)},
		Trigger: condition.Trigger{Kind: string(r.x.Trigger.Kind), Explained: r.x.Trigger.Explained}, Form: r.x.Trigger.Form, Steps: r.results, Now: r.now}
	if r.subject.ID != "" && strings.Contains(text, "entitlements") {
		if in.Subject.Entitlements, err = approve.EntitlementsOf(r.t, r.subject.ID); err != nil {
			return in, err
		}
	}
	if a := r.account; a != nil {
		in.Account = condition.Account{ID: valid(a.ID), Type: valid(a.Type), Name: valid(a.Name), Status: statusText(a.Status)}
		if a.Account != nil {
			in.Account.Login = valid(a.Account.Login)
			if len(a.Account.Emails) > 0 {
				in.Account.Email = valid(a.Account.Emails[0])
			}
		}
	}
	if e := r.x.Trigger.Entitlement; e != 0 {
		in.Trigger.Admin = r.app.Roles.GivesAdmin(e)
		versions, err := r.t.EntitlementVersions(e)
		if err != nil {
			return in, err
		}
		if n := len(versions); n > 0 {
			in.Trigger.Entitlement = valid(versions[n-1].ID)
		}
	}
	in.Message, err = condition.Message(r.x.Trigger.Message)
	return in, err
}

func statusText(s console.Status) string {
	switch s {
	case console.StatusEnabled:
		return "enabled"
	case console.StatusDisabled:
		return "disabled"
	case console.StatusDeleted:
		return "deleted"
	}
	return ""
}

// valid converts text of an upstream to valid UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// holds evaluates a condition; an empty one is true.
func (r *run) holds(text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	c, err := condition.CompileAutomation(text, console.ExpressionCondition)
	if err != nil {
		return false, err
	}
	in, err := r.input(text)
	if err != nil {
		return false, err
	}
	return c.Holds(in)
}

// value returns a value of a step: an expression after "=", or else the text itself.
func (r *run) value(text string) (string, error) {
	expression, ok := strings.CutPrefix(text, "=")
	if !ok {
		return text, nil
	}
	c, err := condition.CompileAutomation(expression, console.ExpressionValue)
	if err != nil {
		return "", err
	}
	in, err := r.input(text)
	if err != nil {
		return "", err
	}
	return c.Value(in)
}

// values evaluates the fields of a step, in the order of their names.
func (r *run) values(fields map[string]string) (map[string]string, error) {
	all := map[string]string{}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v, err := r.value(fields[name])
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "field %s: %w", name, err)
		}
		all[name] = v
	}
	return all, nil
}

// people returns the active people behind the recipients of a mail.
func (r *run) people(to string) (ids []console.ID, err error) {
	var names []string
	switch to {
	case console.MailOwner:
		names = []string{string(r.a.Owner)}
	case console.MailAppOwners:
		for _, o := range r.app.Owners {
			names = append(names, string(o))
		}
	case console.MailSubject:
		names = []string{string(r.subject.ID)}
	case console.MailManager:
		names = []string{string(r.subject.Manager)}
	default:
		c, err := condition.CompileAutomation(strings.TrimPrefix(to, "="), console.ExpressionPeople)
		if err != nil {
			return nil, err
		}
		in, err := r.input(to)
		if err != nil {
			return nil, err
		}
		if names, err = c.People(in); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		if n == "" {
			continue
		}
		p, err := personBy(r.t, n)
		if err != nil {
			return nil, err
		}
		if p.Status == console.PersonActive && !slices.Contains(ids, p.ID) {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) > maxRecipients {
		return nil, baton.Errorf(baton.Invalid, "the mail goes to %d people, and to at most %d", len(ids), maxRecipients)
	}
	return ids, nil
}

const maxRecipients = 50

// personBy returns the person with an id or an e-mail address.
func personBy(t *store.Tx, name string) (p console.Person, err error) {
	if strings.Contains(name, "@") {
		p, err = t.PersonByEmail(console.NormalizeEmail(name))
	} else {
		p, err = t.Person(console.ID(name))
	}
	if err == nil && p.MergedInto != "" {
		p, err = t.Person(p.MergedInto)
	}
	if baton.KindOf(err) == baton.NotFound {
		return p, baton.Errorf(baton.Invalid, "there is no person %q", name)
	}
	return p, err
}

// remember adds the result of a step for later ones.
func (r *run) remember(step string, result []byte) {
	var v any
	if json.Unmarshal(result, &v) == nil {
		r.results[step] = v
	}
}

// gives refuses to give access to somebody who had a part in the automation: nobody decides about
// their own access.
func (r *run) gives() error {
	d := console.Decision{Subject: r.subject.ID}
	if d.Subject == "" {
		return nil
	}
	parties := []console.ID{r.v.Author, r.v.Publisher}
	if r.x.Trigger.Kind == console.TriggerOnDemand && r.x.Parent == "" {
		parties = append(parties, r.x.By.Person())
	}
	canonical := func(id console.ID) console.ID {
		if c, err := r.t.Canonical(id); err == nil {
			return c
		}
		return id
	}
	for _, d.Actor = range parties {
		if d.Actor == "" {
			continue
		}
		if err := d.CheckSelf(canonical); err != nil {
			return err
		}
	}
	return nil
}

// CheckRun returns why an automation may not run, as a sentence; "" if it may: its owner, its author
// and its publisher must be there, and the last two must have the rights that its steps need.
func CheckRun(t *store.Tx, a console.Automation, v console.AutomationVersion) (string, error) {
	app, err := t.App(a.App)
	if err != nil {
		return "", err
	}
	if !app.Removed.IsZero() {
		return "The application was removed.", nil
	}
	owner, err := canonicalPerson(t, a.Owner)
	if err != nil {
		return "", err
	}
	if owner.Status != console.PersonActive {
		return owner.Name + ", who owns it, is not active.", nil
	}
	for _, part := range []struct {
		id   console.ID
		what string
	}{{v.Author, "wrote"}, {v.Publisher, "published"}} {
		p, err := canonicalPerson(t, part.id)
		if err != nil {
			return "", err
		}
		lacks := v.Lacks(p, app)
		if lacks == "" && v.Trigger.From != "" {
			if lacks, err = cannotSee(t, p, v.Trigger.From); err != nil {
				return "", err
			}
		}
		if lacks != "" {
			return p.Name + ", who " + part.what + " it, " + lacks + ".", nil
		}
	}
	return "", nil
}

// cannotSee returns why a person may not know what happens in an application, as the end of a
// sentence; "" if the person may.
func cannotSee(t *store.Tx, p console.Person, app console.ID) (string, error) {
	from, err := t.App(app)
	if err != nil {
		return "", err
	}
	if !console.SeeAccess.Of(p, console.Object{App: &from}) {
		return "may not see who has access to " + from.Name, nil
	}
	return "", nil
}

// Problem returns why a step cannot work now, as a sentence; "" if nothing is known against it. hard
// means that it cannot work at all; else it waits, as while a connector is offline.
func Problem(t *store.Tx, a console.Automation, s console.AutomationStep, now time.Time) (problem string, hard bool, err error) {
	gone := func(err error, text string) (string, bool, error) {
		if baton.KindOf(err) == baton.NotFound {
			return text, true, nil
		}
		return "", false, err
	}
	switch s.Kind {
	case console.StepAction:
		if s.Connector == "" {
			return "", false, nil
		}
		c, err := t.Connector(s.Connector)
		if err == nil && c.App != a.App {
			err = baton.Errorf(baton.NotFound, "no connector")
		}
		if err != nil {
			return gone(err, "The application has no such connector.")
		}
		if s.Action != "" {
			if _, why, err := offered(t, c, s); err != nil || why != "" {
				return why, true, err
			}
		}
		n, err := rpcstore.ConnectionOf(t, c, now)
		if err != nil {
			return "", false, err
		}
		if state, sentence := n.State(now); state == console.Offline || state == console.NotConnected || c.Paused {
			return "The connector “" + c.Name + "” does not work now, so the step would wait. " + sentence, false, nil
		}
	case console.StepGrant, console.StepRevoke, console.StepCampaign:
		if s.Entitlement == 0 {
			return "", false, nil
		}
		m, err := t.Moment(a.App, time.Time{})
		if err == nil {
			_, err = t.Entitlement(m, s.Entitlement)
		}
		return gone(err, "The newest sync does not show the entitlement.")
	case console.StepWebhook:
		if s.Webhook != "" {
			_, err := t.Webhook(s.Webhook)
			return gone(err, "There is no such webhook any more.")
		}
	case console.StepRun:
		if s.Automation == "" {
			return "", false, nil
		}
		other, err := t.Automation(s.Automation)
		switch {
		case err != nil:
			return gone(err, "There is no such automation.")
		case other.App != a.App || !other.Removed.IsZero():
			return "The application has no such automation.", true, nil
		case other.ID == a.ID:
			return "An automation cannot run itself.", true, nil
		case other.Published == 0:
			return "The automation “" + other.Name + "” is not published yet.", true, nil
		}
	}
	return "", false, nil
}
