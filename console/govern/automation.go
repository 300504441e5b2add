package govern

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/automate"
	"baton/console/condition"
	"baton/console/rpc"
	"baton/console/schedule"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// ofAutomation returns the permit for an automation, which is that for its app.
func (p permit) ofAutomation(id console.ID) permit {
	p.app = func(tx *store.Tx) (console.ID, error) {
		a, err := tx.Automation(id)
		return a.App, err
	}
	return p
}

// seeAutomation returns an automation that the person may see, and on whose app the person has a right.
func seeAutomation(tx *store.Tx, me console.Person, id console.ID, right console.Right) (a console.Automation, app console.App, err error) {
	if a, err = tx.Automation(id); err == nil && !a.Removed.IsZero() {
		err = baton.Errorf(baton.NotFound, "no automation")
	}
	if err != nil {
		return a, app, err
	}
	if app, err = tx.App(a.App); err != nil {
		return a, app, err
	}
	o := console.Object{App: &app}
	if err := console.SeeAutomations.Check(me, o); err != nil {
		return a, app, hidden("automation", err)
	}
	return a, app, right.Check(me, o)
}

// AutomationSummary is an automation in a list.
type AutomationSummary struct {
	console.Automation
	AppName, OwnerName string
	When               string // what starts it
	Held, Open         int    // executions that wait for a person, and others that have not ended
	Last               *console.AutomationExecution
}

// AutomationsView lists automations.
type AutomationsView struct {
	All []AutomationSummary
	// Paused is set while no automation runs.
	Paused           console.Pauses
	MayAdd, MayPause bool
	Apps             []console.App // for which the caller may add one
}

// Automations returns the automations that the caller may see.
func (c *Console) Automations(ctx context.Context, caller Caller) (v AutomationsView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		v = AutomationsView{MayPause: console.PauseAutomations.Of(me, console.Object{})}
		var err error
		if v.Paused, err = tx.Pauses(); err != nil {
			return err
		}
		if v.Apps, err = appsWith(tx, me, console.ManageAutomations); err != nil {
			return err
		}
		v.MayAdd = len(v.Apps) > 0
		all, err := tx.Automations("")
		if err != nil {
			return err
		}
		for _, a := range all {
			app, err := tx.App(a.App)
			if err != nil {
				return err
			}
			if !console.SeeAutomations.Of(me, console.Object{App: &app}) {
				continue
			}
			s, err := automationSummary(tx, a, app)
			if err != nil {
				return err
			}
			v.All = append(v.All, s)
		}
		return nil
	})
	return v, err
}

// appsWith returns the apps for which a person has a right.
func appsWith(tx *store.Tx, me console.Person, right console.Right) (all []console.App, err error) {
	for after := (store.NameAfter{}); ; {
		page, err := tx.Apps(after, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
			if a.Removed.IsZero() && right.Of(me, console.Object{App: &a}) {
				all = append(all, a)
			}
		}
		if len(page) < store.PageSize {
			return all, nil
		}
	}
}

func automationSummary(tx *store.Tx, a console.Automation, app console.App) (s AutomationSummary, err error) {
	s = AutomationSummary{Automation: a, AppName: app.Name}
	people := Names{}
	if err := people.add(tx, a.Owner); err != nil {
		return s, err
	}
	s.OwnerName = people.Of(a.Owner)
	rule := a.Draft
	if a.Published > 0 {
		v, err := tx.AutomationVersion(a.ID, a.Published)
		if err != nil {
			return s, err
		}
		rule = v.AutomationRule
	}
	if s.When, err = (automationText{tx}).trigger(rule.Trigger); err != nil {
		return s, err
	}
	counts, err := tx.CountExecutions(a.ID)
	if err != nil {
		return s, err
	}
	s.Held, s.Open = counts[console.ExecutionHeld], counts[console.ExecutionQueued]+counts[console.ExecutionRunning]
	last, err := tx.Executions(a.ID, "", store.ExecutionBefore{}, 1)
	if len(last) > 0 {
		s.Last = &last[0]
	}
	return s, err
}

// AutomationView is an automation with its draft and versions.
type AutomationView struct {
	AutomationSummary
	App        console.App
	AuthorName string
	Steps      []AutomationStepView // of the draft
	DraftWhen  string               // what starts the draft
	Versions   []AutomationVersionView
	// Changed means that the draft differs from the published version.
	Changed bool
	// Unpublishable is why the draft cannot be published, by the caller; "" if it can.
	Unpublishable string
	Done          console.AutomationCount // what counts for the limits now
	Limits        console.AutomationLimits
	AllPaused     bool
	MayChange     bool
	MayPause      bool
	MaySeeRuns    bool
	RunsOnDemand  bool
}

// AutomationStepView is a step with what it does.
type AutomationStepView struct {
	console.AutomationStep
	Label, Does string
	// Problem is why it cannot work now; "" if nothing is known against it.
	Problem string
	Hard    bool // it cannot work at all
}

// AutomationVersionView is a version with the names of people.
type AutomationVersionView struct {
	console.AutomationVersion
	AuthorName, PublisherName string
	When                      string
	Does                      []string
}

// Automation returns an automation.
func (c *Console) Automation(ctx context.Context, caller Caller, id console.ID) (v AutomationView, err error) {
	err = c.read(ctx, caller, reading.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		v, err = c.automationView(tx, me, id)
		return err
	})
	return v, err
}

func (c *Console) automationView(tx *store.Tx, me console.Person, id console.ID) (v AutomationView, err error) {
	a, app, err := seeAutomation(tx, me, id, console.SeeAutomations)
	if err != nil {
		return v, err
	}
	o := console.Object{App: &app}
	v = AutomationView{App: app, MayChange: console.ManageAutomations.Of(me, o), MayPause: console.PauseAutomations.Of(me, o), MaySeeRuns: console.SeeAccess.Of(me, o)}
	if v.AutomationSummary, err = automationSummary(tx, a, app); err != nil {
		return v, err
	}
	words, people := automationText{tx}, Names{}
	if err := people.add(tx, a.Author); err != nil {
		return v, err
	}
	v.AuthorName = people.Of(a.Author)
	if v.DraftWhen, err = words.trigger(a.Draft.Trigger); err != nil {
		return v, err
	}
	if v.Steps, err = c.stepViews(tx, a, a.Draft); err != nil {
		return v, err
	}
	if err := c.versionViews(tx, words, people, &v); err != nil {
		return v, err
	}
	if v.Unpublishable, err = unpublishable(tx, me, a, app, c.now()); err != nil {
		return v, err
	}
	pauses, err := tx.Pauses()
	if err != nil {
		return v, err
	}
	v.AllPaused = pauses.Automations
	v.Limits = a.Draft.Limits.Effective()
	if len(v.Versions) > 0 {
		v.Limits = v.Versions[0].Limits.Effective()
		v.RunsOnDemand = v.Versions[0].Trigger.Kind == console.TriggerOnDemand
	}
	since := c.now().Add(-time.Duration(v.Limits.Period))
	if a.Counted.After(since) {
		since = a.Counted
	}
	v.Done, err = tx.AutomationCount(a.ID, since.Add(-time.Microsecond))
	return v, err
}

func (c *Console) stepViews(tx *store.Tx, a console.Automation, rule console.AutomationRule) (all []AutomationStepView, err error) {
	for _, s := range rule.Steps {
		v := AutomationStepView{AutomationStep: s}
		kind, _ := s.Kind.Rule()
		v.Label = kind.Label
		if v.Does, err = (automationText{tx}).step(s); err != nil {
			return nil, err
		}
		if v.Problem, v.Hard, err = automate.Problem(tx, a, s, c.now()); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func (c *Console) versionViews(tx *store.Tx, words automationText, people Names, v *AutomationView) error {
	versions, err := tx.AutomationVersions(v.ID)
	if err != nil {
		return err
	}
	v.Changed = len(versions) == 0 || !sameRule(versions[0].AutomationRule, v.Draft)
	for _, version := range versions {
		if err := people.add(tx, version.Author, version.Publisher); err != nil {
			return err
		}
		view := AutomationVersionView{AutomationVersion: version, AuthorName: people.Of(version.Author), PublisherName: people.Of(version.Publisher)}
		if view.When, err = words.trigger(version.Trigger); err != nil {
			return err
		}
		for _, s := range version.Steps {
			does, err := words.step(s)
			if err != nil {
				return err
			}
			view.Does = append(view.Does, does)
		}
		v.Versions = append(v.Versions, view)
	}
	return nil
}

// sameRule reports whether two rules are equal in their stored form.
func sameRule(a, b console.AutomationRule) bool { return a.Text() == b.Text() }

// unpublishable returns why a person cannot publish the draft of an automation; "" if nothing is
// against it.
func unpublishable(tx *store.Tx, me console.Person, a console.Automation, app console.App, now time.Time) (string, error) {
	if err := a.Draft.CheckComplete(); err != nil {
		return err.Error(), nil
	}
	for i, s := range a.Draft.Steps {
		problem, hard, err := automate.Problem(tx, a, s, now)
		if err != nil {
			return "", err
		}
		if hard {
			return fmt.Sprintf("step %d: %s", i+1, strings.TrimSuffix(problem, ".")), nil
		}
	}
	if t := a.Draft.Trigger; t.Kind == console.TriggerWebhook {
		if _, err := tx.Hook(t.Hook); baton.KindOf(err) == baton.NotFound {
			return "the incoming webhook is gone", nil
		} else if err != nil {
			return "", err
		}
	}
	if t := a.Draft.Trigger; t.Kind == console.TriggerRequest {
		p, err := tx.Policy(t.Policy)
		if baton.KindOf(err) == baton.NotFound || err == nil && p.Kind != console.PolicyRequest {
			return "there is no policy for requests of that name any more", nil
		}
		if err != nil {
			return "", err
		}
	}
	if a.Draft.Gives() && me.Canonical() == a.Author {
		return "it gives access, which no policy decides about: somebody other than its author has to publish it", nil
	}
	problem, err := automate.CheckRun(tx, a, console.AutomationVersion{Automation: a.ID, AutomationRule: a.Draft, Author: a.Author, Publisher: me.Canonical()})
	return strings.TrimSuffix(problem, "."), err
}

// NewAutomation holds the fields of a new automation.
type NewAutomation struct {
	App      console.ID
	Name     string
	Template string                  // "" for the rule
	Rule     *console.AutomationRule // nil for the template
}

// AddAutomation adds an automation with a draft. The caller owns it.
func (c *Console) AddAutomation(ctx context.Context, caller Caller, n NewAutomation) (id console.ID, err error) {
	err = c.change(ctx, caller, configuring.in(n.App), func(tx *store.Tx, me console.Person) error {
		app, err := seeApp(tx, me, n.App, console.ManageAutomations)
		if err != nil {
			return err
		}
		a := console.Automation{App: app.ID, Name: strings.TrimSpace(n.Name), Owner: me.Canonical(), Author: me.Canonical()}
		if a.Draft, err = c.newRule(tx, app, n); err != nil {
			return err
		}
		if err := checkDraft(a.Draft); err != nil {
			return err
		}
		a, err = tx.AddAutomation(a)
		id = a.ID
		return err
	})
	return id, err
}

func checkDraft(r console.AutomationRule) error {
	if err := r.CheckDraft(condition.CheckAutomation); err != nil {
		return err
	}
	if s := schedule.OfTrigger(r.Trigger); !s.Never() {
		return s.Check(time.Minute)
	}
	return nil
}

// newRule returns the first draft of an automation.
func (c *Console) newRule(tx *store.Tx, app console.App, n NewAutomation) (console.AutomationRule, error) {
	if n.Rule != nil {
		return *n.Rule, nil
	}
	t, ok := console.TemplateNamed(n.Template)
	if !ok {
		return console.AutomationRule{}, baton.Errorf(baton.Invalid, "there is no template %q", n.Template)
	}
	if !t.Disables {
		return t.Rule, nil
	}
	connectors, err := tx.Connectors(app.ID)
	if err != nil {
		return t.Rule, err
	}
	t.Rule.Steps = slices.Clone(t.Rule.Steps)
	for _, con := range connectors {
		offer, err := rpcstore.Actions(tx, string(con.ID))
		if err != nil {
			return t.Rule, err
		}
		i := slices.IndexFunc(offer.Actions, func(a rpc.Action) bool {
			verb, ok := rpcstore.ActionVerb(a)
			_, one := rpcstore.AccountArgument(a)
			return ok && one && verb == console.Revoke
		})
		if i < 0 {
			continue
		}
		action := offer.Actions[i]
		argument, _ := rpcstore.AccountArgument(action)
		s := &t.Rule.Steps[0]
		s.Kind, s.Connector, s.Action, s.ResourceType, s.Fields = console.StepAction, con.ID, action.Name, action.ResourceType, map[string]string{argument: "=account.id"}
		break
	}
	return t.Rule, nil
}

// AutomationEdit holds the changes of an automation. Nil fields stay.
type AutomationEdit struct {
	Version int64 // that the caller saw; 0: any
	Name    *string
	Owner   *string // e-mail address or id
	Rule    *console.AutomationRule
}

// ChangeAutomation changes the name, the owner or the draft of an automation.
func (c *Console) ChangeAutomation(ctx context.Context, caller Caller, id console.ID, e AutomationEdit) error {
	return c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		if e.Version != 0 {
			a.Version = e.Version
		}
		if e.Name != nil {
			a.Name = strings.TrimSpace(*e.Name)
		}
		if e.Owner != nil {
			if a.Owner, err = automationOwner(tx, *e.Owner); err != nil {
				return err
			}
		}
		if e.Rule != nil {
			if err := checkDraft(*e.Rule); err != nil {
				return err
			}
			if !sameRule(*e.Rule, a.Draft) {
				a.Draft, a.Author = *e.Rule, me.Canonical()
			}
		}
		return tx.ChangeAutomation(a)
	})
}

// automationOwner returns the active person with an e-mail address or an id.
func automationOwner(tx *store.Tx, who string) (console.ID, error) {
	who = strings.TrimSpace(who)
	var p console.Person
	var err error
	if strings.Contains(who, "@") {
		p, err = tx.PersonByEmail(who)
	} else {
		p, err = tx.Person(console.ID(who))
	}
	if baton.KindOf(err) == baton.NotFound || err == nil && p.Status != console.PersonActive {
		return "", baton.Errorf(baton.Invalid, "nobody active has the address %q", who)
	}
	return p.Canonical(), err
}

// PublishAutomation makes the draft the version that runs. The error is Refused with the reason if it
// cannot be published.
func (c *Console) PublishAutomation(ctx context.Context, caller Caller, id console.ID, version int64) (number int, err error) {
	err = c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, app, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		why, err := unpublishable(tx, me, a, app, c.now())
		if err != nil {
			return err
		}
		if why != "" {
			return baton.Errorf(baton.Refused, "%s", why).WithFix("Change the draft, or let somebody else publish it.")
		}
		if version == 0 {
			version = a.Version
		}
		number, err = publish(tx, id, version, me, c.now())
		return err
	})
	return number, err
}

// publish makes the draft of an automation the version that runs, and sets when it runs next.
func publish(tx *store.Tx, id console.ID, version int64, me console.Person, now time.Time) (number int, err error) {
	v, err := tx.PublishAutomation(id, version, me.Canonical())
	if err != nil {
		return 0, err
	}
	if err := tx.RemoveDue(console.DueTimes, string(id)); err != nil {
		return 0, err
	}
	if next := schedule.OfTrigger(v.Trigger).Next(now, now); !next.IsZero() {
		return v.Version, tx.SetDue(console.DueTimes, string(id), next, nil)
	}
	return v.Version, nil
}

// RestoreAutomation makes a published version the draft again.
func (c *Console) RestoreAutomation(ctx context.Context, caller Caller, id console.ID, number int) error {
	return c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		v, err := tx.AutomationVersion(id, number)
		if err != nil {
			return err
		}
		a.Draft, a.Author = v.AutomationRule, me.Canonical()
		return tx.ChangeAutomation(a)
	})
}

// RemoveAutomation removes an automation. What it did stays.
func (c *Console) RemoveAutomation(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeAutomation(tx, me, id, console.ManageAutomations); err != nil {
			return err
		}
		return tx.RemoveAutomation(id)
	})
}

// AutomationChoices lists the choices in the forms of an app's automation.
type AutomationChoices struct {
	Connectors   []AutomationOffer
	Entitlements []store.Entitlement // at most [maxChosenEntitlements]
	Hooks        []console.Hook      // for those who may see them
	Webhooks     []console.Webhook
	Automations  []console.Automation // others of the app
	Policies     []console.Policy     // for requests
}

// AutomationOffer is a connector with the actions that it offers.
type AutomationOffer struct {
	console.Connector
	rpcstore.Offer
	State    console.ConnectionState
	Sentence string // about the connection
}

// maxChosenEntitlements limits the entitlements that a form lists. Others are entered by their id.
const maxChosenEntitlements = 200

// AutomationChoices returns what the forms of an automation can choose.
func (c *Console) AutomationChoices(ctx context.Context, caller Caller, id console.ID) (ch AutomationChoices, err error) {
	err = c.read(ctx, caller, reading.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		ch = AutomationChoices{}
		a, _, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		connectors, err := tx.Connectors(a.App)
		if err != nil {
			return err
		}
		for _, con := range connectors {
			o := AutomationOffer{Connector: con}
			if o.Offer, err = rpcstore.Actions(tx, string(con.ID)); err != nil {
				return err
			}
			n, err := rpcstore.ConnectionOf(tx, con, c.now())
			if err != nil {
				return err
			}
			o.State, o.Sentence = n.State(c.now())
			ch.Connectors = append(ch.Connectors, o)
		}
		policies, err := tx.Policies()
		if err != nil {
			return err
		}
		ch.Policies = slices.DeleteFunc(policies, func(p console.Policy) bool { return p.Kind != console.PolicyRequest })
		if console.SeeSettings.Of(me, console.Object{}) {
			if ch.Hooks, err = tx.Hooks(); err != nil {
				return err
			}
			if ch.Webhooks, err = tx.Webhooks(); err != nil {
				return err
			}
		}
		all, err := tx.Automations(a.App)
		if err != nil {
			return err
		}
		ch.Automations = slices.DeleteFunc(all, func(other console.Automation) bool { return other.ID == a.ID })
		m, err := tx.Moment(a.App, time.Time{})
		if err != nil {
			return err
		}
		ch.Entitlements, err = tx.Entitlements(m, store.EntitlementAfter{}, maxChosenEntitlements)
		return err
	})
	return ch, err
}

// AutomationEntitlement returns the entitlement that a person named in the form of an automation: by
// its id or its name, or that of a course, with the application in front if it is another one.
func (c *Console) AutomationEntitlement(ctx context.Context, caller Caller, id console.ID, text string) (n console.Need, err error) {
	err = c.read(ctx, caller, reading.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		text = strings.TrimSpace(text)
		m, err := tx.Moment(a.App, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, text)
		if baton.KindOf(err) == baton.NotFound {
			e, err = completionOf(tx, m, text)
		}
		if err == nil {
			n = console.Need{App: a.App, Entitlement: e.Key}
			return nil
		}
		if baton.KindOf(err) != baton.NotFound {
			return err
		}
		if !strings.Contains(text, "/") {
			return baton.Errorf(baton.Invalid, "the newest sync does not show “%s”", text).WithFix("Write the name or the id of the entitlement; of another application, with its name and a slash in front.")
		}
		if n, err = resolveNeed(tx, text); err != nil {
			return err
		}
		from, err := tx.App(n.App)
		if err != nil {
			return err
		}
		return console.SeeAccess.Check(me, console.Object{App: &from})
	})
	return n, err
}

// AutomationEntitlementText returns how a form names an entitlement, which
// [Console.AutomationEntitlement] reads. need.App is "" for the application of the automation.
func (c *Console) AutomationEntitlementText(ctx context.Context, caller Caller, id console.ID, need console.Need) (text string, err error) {
	err = c.read(ctx, caller, reading.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		versions, err := tx.EntitlementVersions(need.Entitlement)
		if err != nil || len(versions) == 0 {
			return err
		}
		if text = versions[len(versions)-1].ID; need.App == "" || need.App == a.App {
			return nil
		}
		from, err := tx.App(need.App)
		text = from.Name + "/" + text
		return err
	})
	return text, err
}
