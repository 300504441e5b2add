package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// campaignForm is the form of the settings of a review or a template.
type campaignForm struct {
	Path, Back    string
	New, Template bool
	From          console.ID // the template whose settings it took
	Frozen        bool       // only texts, owners, reminders and the end can change
	Running       bool
	Version       int64
	Settings      console.CampaignSettings
	Owners        string
	Apps          []choice
	Entitlements  []choice // of the chosen apps
	People        string
	Managers      string
	Departments   string
	Accounts      []choice
	States        []choice
	NewWithin     string
	NewSince      string
	Ask           []choice
	Others        string
	Fallback      string
	Outcomes      []choice
	Wins          []choice
	Unanswered    []choice
	Cap           string
	Lasts, MaxAge string
	Ends          string
	Repeats       []choice
	First         string
	Preview       *console.Population
	Problem       *problem
}

// The labels of the choices of a review. docs/reviews.md has them.
var (
	accountKindLabels = map[console.ReviewAccounts]string{console.AccountsUnowned: "Accounts without owner", console.AccountsDisabled: "Disabled accounts that hold access",
		console.AccountsService: "Service and system accounts", console.AccountsOrphaned: "Accounts of people who left"}
	scopeStates = []console.State{console.StateUnexplained, console.StateCameBack, console.StateOverdue, console.StateBaseline}
	askLabels   = map[console.ApproverKind]string{console.ApproverManager: "The manager of the person", console.ApproverAppOwner: "The owners of the application",
		console.ApproverEntitlementOwner: "The owners of the entitlement"}
	askKinds         = []console.ApproverKind{console.ApproverManager, console.ApproverAppOwner, console.ApproverEntitlementOwner}
	outcomeKinds     = []console.OutcomeKind{console.OutcomeOne, console.OutcomeAll, console.OutcomeMajority}
	outcomeLabels    = map[console.OutcomeKind]string{console.OutcomeOne: "One decision is enough", console.OutcomeAll: "All must agree", console.OutcomeMajority: "The majority decides"}
	unansweredLabels = map[console.UnansweredChoice]string{console.UnansweredKeep: "Keep it, and tell the owners", console.UnansweredRemove: "Propose to remove it, up to the cap"}
	recurrenceLabels = map[console.Recurrence]string{console.Once: "Never", console.Monthly: "Every month", console.Quarterly: "Every quarter", console.HalfYearly: "Every half year", console.Yearly: "Every year"}
)

// newCampaignSettings are those that the form of a new review proposes. Nothing is removed that nobody
// decided.
func newCampaignSettings() console.CampaignSettings {
	return console.CampaignSettings{Reviewers: []console.Approver{{Kind: console.ApproverAppOwner}}, Fallback: []console.Approver{{Kind: console.ApproverRole, Role: console.SecurityOfficer}},
		Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove}, Unanswered: console.UnansweredKeep, Lasts: console.DefaultLasts, MaxAge: console.DefaultMaxAge}
}

// newCampaignForm returns the form of a new review: with the settings of a template, if one is named, and
// about the app and the entitlement of the page that it was opened from.
func (c *call) newCampaignForm() (f campaignForm, err error) {
	if err := console.AddCampaigns.Check(c.caller.Person, console.Object{}); err != nil {
		return f, err
	}
	f = campaignForm{New: true, Path: "/campaigns/new", Back: "/campaigns", Template: c.r.FormValue("template") != "", From: console.ID(c.r.FormValue("from")), Settings: newCampaignSettings()}
	names := govern.Names{}
	if f.From != "" {
		v, err := c.console().Campaign(c.ctx(), c.caller, f.From)
		if err != nil {
			return f, err
		}
		f.Settings, names = v.CampaignSettings, v.Names
		if !f.Template {
			f.Settings.Repeats, f.Settings.First = console.Once, time.Time{}
		}
	}
	if app := c.r.FormValue("app"); app != "" && c.r.Method == http.MethodGet {
		f.Settings.Scope.Apps = []console.ID{console.ID(app)}
		if e, err := strconv.ParseInt(c.r.FormValue("entitlement"), 10, 64); err == nil {
			f.Settings.Scope.Entitlements = []console.EntitlementKey{console.EntitlementKey(e)}
		}
	}
	f.Owners = slices.Concat(c.caller.Person.Emails, []string{string(c.caller.Person.ID)})[0]
	return f, c.fillCampaign(&f, names)
}

// campaignEditForm returns the form of the settings of a review that the caller may run.
func (c *call) campaignEditForm() (f campaignForm, err error) {
	v, err := c.console().Campaign(c.ctx(), c.caller, c.campaign())
	if err != nil {
		return f, err
	}
	if !v.MayRun {
		return f, console.RunCampaigns.Check(c.caller.Person, console.Object{Campaign: &v.CampaignSummary.Campaign})
	}
	f = campaignForm{Path: campaignPath(v.ID) + "/edit", Back: campaignPath(v.ID), Template: v.State == console.CampaignTemplate, Frozen: v.State.Frozen(), Running: v.State == console.CampaignRunning,
		Version: v.CampaignSummary.Campaign.Version, Settings: v.CampaignSettings, Owners: addresses(v.Owners, v.Names)}
	if f.Running {
		f.Ends = v.Ends.UTC().Format(clock)
	}
	return f, c.fillCampaign(&f, v.Names)
}

// addresses returns the e-mail addresses of people, one on a line; the ids of those without.
func addresses(people []console.ID, names govern.Names) string {
	var lines []string
	for _, id := range people {
		line := string(id)
		if emails := names[id].Emails; len(emails) > 0 {
			line = emails[0]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// fillCampaign fills the fields of the form from its settings.
func (c *call) fillCampaign(f *campaignForm, names govern.Names) error {
	s := f.Settings
	f.People, f.Managers, f.Departments = addresses(s.Scope.People, names), addresses(s.Scope.Managers, names), strings.Join(s.Scope.Departments, "\n")
	if s.Scope.NewWithin > 0 {
		f.NewWithin = s.Scope.NewWithin.String()
	}
	f.NewSince, f.First = dayText(s.Scope.NewSince), dayText(s.First)
	var others []console.Approver
	for _, a := range s.Reviewers {
		if askLabels[a.Kind] == "" {
			others = append(others, a)
		}
	}
	f.Others, f.Fallback = approverTexts(others, names), approverTexts(s.Fallback, names)
	f.Cap, f.Lasts, f.MaxAge = number(s.Cap), s.Lasts.String(), s.MaxAge.String()
	return c.fillChoices(f)
}

// approverTexts is [approverLines] with the e-mail addresses of people.
func approverTexts(all []console.Approver, names govern.Names) string {
	all = slices.Clone(all)
	for i, a := range all {
		if emails := names[a.Person].Emails; len(emails) > 0 {
			all[i].Person = console.ID(emails[0])
		}
	}
	return approverLines(all)
}

func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// fillChoices fills the lists of the form from its settings.
func (c *call) fillChoices(f *campaignForm) error {
	s := f.Settings
	f.Accounts, f.States, f.Ask, f.Outcomes, f.Wins, f.Unanswered, f.Repeats = nil, nil, nil, nil, nil, nil, nil
	for _, k := range console.ReviewAccountKinds() {
		f.Accounts = append(f.Accounts, choice{string(k), accountKindLabels[k], slices.Contains(s.Scope.Accounts, k)})
	}
	for _, k := range scopeStates {
		f.States = append(f.States, choice{string(k), stateChip(k).Label, slices.Contains(s.Scope.States, k)})
	}
	for _, k := range askKinds {
		f.Ask = append(f.Ask, choice{string(k), askLabels[k], slices.ContainsFunc(s.Reviewers, func(a console.Approver) bool { return a.Kind == k })})
	}
	for _, k := range outcomeKinds {
		f.Outcomes = append(f.Outcomes, choice{string(k), outcomeLabels[k], s.Outcome.Kind == k})
	}
	for _, k := range []console.ReviewChoice{console.ChooseRemove, console.ChooseKeep} {
		f.Wins = append(f.Wins, choice{string(k), k.Label(), s.Outcome.Wins == k})
	}
	for _, k := range []console.UnansweredChoice{console.UnansweredKeep, console.UnansweredRemove} {
		f.Unanswered = append(f.Unanswered, choice{string(k), unansweredLabels[k], s.Unanswered == k})
	}
	for _, k := range console.Recurrences() {
		f.Repeats = append(f.Repeats, choice{string(k), recurrenceLabels[k], s.Repeats == k})
	}
	if f.Frozen {
		return nil
	}
	of, err := c.console().ScopeChoices(c.ctx(), c.caller, s.Scope.Apps)
	if err != nil {
		return err
	}
	f.Apps, f.Entitlements = nil, nil
	for _, a := range of.Apps {
		f.Apps = append(f.Apps, choice{string(a.ID), a.Name, slices.Contains(s.Scope.Apps, a.ID)})
	}
	for _, e := range of.Entitlements {
		label := e.Name
		if len(s.Scope.Apps) > 1 {
			label += " (" + e.App.Name + ")"
		}
		f.Entitlements = append(f.Entitlements, choice{strconv.FormatInt(int64(e.Key), 10), label, slices.Contains(s.Scope.Entitlements, e.Key)})
	}
	return nil
}

// splitLines returns the lines and comma-separated parts of a text that are not empty.
func splitLines(text string) []string {
	return splitList(strings.ReplaceAll(strings.ReplaceAll(text, "\r", ""), "\n", ","))
}

// idsOf returns the lines of a text as ids or e-mail addresses of people.
func idsOf(text string) (all []console.ID) {
	for _, line := range splitLines(text) {
		all = append(all, console.ID(line))
	}
	return all
}

// valuesOf returns the values of the check boxes of a name.
func valuesOf[T ~string](c *call, name string) (all []T) {
	for _, v := range c.r.PostForm[name] {
		all = append(all, T(v))
	}
	return all
}

// readCampaign decodes the form. It keeps what was entered, also if some of it is wrong.
func (c *call) readCampaign(f *campaignForm) error {
	post, is := c.r.PostFormValue, func(name string) bool { return c.r.PostFormValue(name) != "" }
	s := &f.Settings
	f.Owners, f.Ends = post("owners"), post("ends")
	s.Description, s.Instructions, s.NoReminders, s.AutoStart, s.AutoClose = post("description"), strings.ReplaceAll(post("instructions"), "\r\n", "\n"), !is("reminders"), is("auto-start"), is("auto-close")
	if f.Frozen {
		return nil
	}
	f.People, f.Managers, f.Departments, f.NewWithin, f.NewSince, f.Others, f.Fallback = post("people"), post("managers"), post("departments"), post("new-within"), post("new-since"), post("others"), post("fallback")
	f.Cap, f.Lasts, f.MaxAge, f.First = post("cap"), post("lasts"), post("max-age"), post("first")
	s.Name, s.NoMeter = strings.TrimSpace(post("name")), !is("meter")
	s.Scope = console.ReviewScope{Apps: valuesOf[console.ID](c, "scope-app"), Admins: is("admins"), People: idsOf(f.People), Managers: idsOf(f.Managers), Departments: splitLines(f.Departments),
		Accounts: valuesOf[console.ReviewAccounts](c, "accounts"), States: valuesOf[console.State](c, "states"), Permanent: is("permanent"), Incompatible: is("incompatible"), Existence: is("existence"),
		Console: is("console"), OnlyConsole: is("only-console")}
	for _, v := range c.r.PostForm["scope-entitlement"] {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		s.Scope.Entitlements = append(s.Scope.Entitlements, console.EntitlementKey(n))
	}
	s.Outcome = console.OutcomeRule{Kind: console.OutcomeKind(post("outcome")), Wins: console.ReviewChoice(post("wins"))}
	s.Unanswered, s.Repeats = console.UnansweredChoice(post("unanswered")), console.Recurrence(post("repeats"))
	s.Reviewers, s.Fallback = nil, nil
	for _, k := range valuesOf[console.ApproverKind](c, "ask") {
		s.Reviewers = append(s.Reviewers, console.Approver{Kind: k})
	}
	return c.readCampaignTexts(f)
}

// readCampaignTexts decodes the fields of the form that are typed.
func (c *call) readCampaignTexts(f *campaignForm) (err error) {
	s := &f.Settings
	for _, list := range []struct {
		text string
		into *[]console.Approver
	}{{f.Others, &s.Reviewers}, {f.Fallback, &s.Fallback}} {
		for _, line := range splitLines(list.text) {
			a, err := console.ParseApprover(line)
			if err != nil {
				return err
			}
			*list.into = append(*list.into, a)
		}
	}
	for _, d := range []struct {
		text string
		into *console.Duration
	}{{cmp.Or(f.Lasts, console.DefaultLasts.String()), &s.Lasts}, {cmp.Or(f.MaxAge, console.DefaultMaxAge.String()), &s.MaxAge}, {f.NewWithin, &s.Scope.NewWithin}} {
		if *d.into, err = console.ParseDuration(d.text); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		text string
		into *time.Time
	}{{f.NewSince, &s.Scope.NewSince}, {f.First, &s.First}} {
		if *d.into = (time.Time{}); d.text == "" {
			continue
		}
		if *d.into, err = time.Parse(time.DateOnly, d.text); err != nil {
			return baton.Errorf(baton.Invalid, "%q is no day", d.text).WithFix("Write a day like 2026-03-03.")
		}
	}
	if s.Cap = 0; strings.TrimSpace(f.Cap) != "" {
		if s.Cap, err = strconv.Atoi(strings.TrimSpace(f.Cap)); err != nil {
			return baton.Errorf(baton.Invalid, "%q is no cap", f.Cap).WithFix("Write a whole number.")
		}
	}
	return nil
}

func (c *call) showCampaignForm(f campaignForm, wrong error) error {
	f.Problem = problemOf(wrong)
	status, title := http.StatusOK, "New campaign"
	switch {
	case wrong != nil:
		status = statusOf(wrong)
	case f.Template && f.New:
		title = "New template"
	}
	if !f.New {
		title = "Change " + text(f.Settings.Name)
	}
	return c.show(status, "campaign-edit", title, f)
}

func newCampaignPage(c *call) error {
	f, err := c.newCampaignForm()
	if err != nil {
		return err
	}
	return c.showCampaignForm(f, nil)
}

func editCampaignPage(c *call) error {
	f, err := c.campaignEditForm()
	if err != nil {
		return err
	}
	return c.showCampaignForm(f, nil)
}

// previewCampaign answers the buttons of the form that save nothing. It reports whether one was used.
func (c *call) previewCampaign(f *campaignForm) (bool, error) {
	switch c.r.PostFormValue("do") {
	case "choose": // the entitlements of the chosen applications
		return true, nil
	case "preview":
		p, err := c.console().PreviewCampaign(c.ctx(), c.caller, f.Settings)
		if err != nil {
			return true, err
		}
		f.Preview = &p
		return true, nil
	}
	return false, nil
}

// sendCampaign decodes the form, answers its buttons, and saves it.
func (c *call) sendCampaign(f campaignForm, save func(campaignForm) (console.ID, error)) error {
	err := c.readCampaign(&f)
	if filled := c.fillChoices(&f); filled != nil {
		return filled
	}
	stays := false
	if err == nil {
		stays, err = c.previewCampaign(&f)
	}
	if err == nil && stays {
		return c.showCampaignForm(f, nil)
	}
	var id console.ID
	if err == nil {
		id, err = save(f)
	}
	if shown(err) || baton.KindOf(err) == baton.NotFound {
		return c.showCampaignForm(f, err)
	}
	if err != nil {
		return err
	}
	return c.redirect(campaignPath(id))
}

func addCampaign(c *call) error {
	f, err := c.newCampaignForm()
	if err != nil {
		return err
	}
	return c.sendCampaign(f, func(f campaignForm) (console.ID, error) {
		return c.console().AddCampaign(c.ctx(), c.caller, govern.NewCampaign{CampaignSettings: f.Settings, Owners: idsOf(f.Owners), Template: f.Template})
	})
}

func editCampaign(c *call) error {
	f, err := c.campaignEditForm()
	if err != nil {
		return err
	}
	f.Version = c.formVersion()
	return c.sendCampaign(f, func(f campaignForm) (console.ID, error) {
		change := console.Campaign{ID: c.campaign(), CampaignSettings: f.Settings, Owners: idsOf(f.Owners), Version: f.Version}
		if f.Running && f.Ends != "" {
			var err error
			if change.Ends, err = readClock("Due", f.Ends); err != nil {
				return "", err
			}
		}
		return change.ID, c.console().ChangeCampaign(c.ctx(), c.caller, change)
	})
}
