package web

import (
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

type settingsTab struct {
	Tab  string
	Tabs []appTab
}

func settingsTabs(tab string) settingsTab {
	return settingsTab{tab, []appTab{{"mail", "Mail", "/settings/mail"}, {"outbox", "Outbox", "/settings/mail/outbox"}}}
}

type mailPage struct {
	Head    settingsTab
	View    govern.MailView
	Form    mailForm
	Modes   []mailMode
	Problem *problem
	Sent    string // address of a test that was just sent
}

// mailForm holds the entered values.
type mailForm struct {
	Host, Port, TLS, User, From, ReplyTo string
}

type mailMode struct {
	Value console.MailTLS
	Label string
}

var mailModes = []mailMode{
	{console.MailSTARTTLS, "STARTTLS, usual on port 587"},
	{console.MailImplicit, "TLS, usual on port 465"},
	{console.MailPlain, "None: only inside a network that the operator allows, and without a user"},
}

func (c *call) mail() (p mailPage, err error) {
	p.Head, p.Modes = settingsTabs("mail"), mailModes
	p.View, err = c.console().Mail(c.ctx(), c.caller)
	s := p.View.Settings
	p.Form = mailForm{s.Host, strconv.Itoa(s.Port), string(s.TLS), s.User, s.From, s.ReplyTo}
	if !s.Configured() {
		p.Form.Port, p.Form.TLS = "587", string(console.MailSTARTTLS)
	}
	return p, err
}

func mailSettings(c *call) error {
	p, err := c.mail()
	if err != nil {
		return err
	}
	return c.page("mail", "Mail", p)
}

// mailFailed shows the page with an error.
func (c *call) mailFailed(problem error, form *mailForm) error {
	switch baton.KindOf(problem) {
	case baton.Invalid, baton.Refused, baton.Unavailable, baton.Unauthenticated:
	case baton.PermissionDenied: // the address of the mail server is not allowed
		if form != nil || console.ConfigureSettings.Check(c.caller.Person, console.Object{}) != nil {
			return problem
		}
	default:
		return problem
	}
	p, err := c.mail()
	if err != nil {
		return err
	}
	if form != nil {
		p.Form = *form
	}
	p.Problem = problemOf(problem)
	status := statusOf(problem)
	if status == 401 || status == 503 || status == 403 { // errors of the mail server must not look like errors of the console
		status = 409
	}
	return c.show(status, "mail", "Mail", p)
}

func configureMail(c *call) error {
	f := mailForm{c.r.PostFormValue("host"), c.r.PostFormValue("port"), c.r.PostFormValue("tls"), c.r.PostFormValue("user"), c.r.PostFormValue("from"), c.r.PostFormValue("reply-to")}
	port, _ := strconv.Atoi(f.Port) // 0 is refused later
	s := console.MailSettings{Host: f.Host, Port: port, TLS: console.MailTLS(f.TLS), User: f.User, From: f.From, ReplyTo: f.ReplyTo}
	switch {
	case c.r.PostFormValue("off") != "":
		s = console.MailSettings{}
	case s.TLS == "": // a request without fields must not turn mail off
		s.TLS = console.MailSTARTTLS
	}
	err := c.console().ConfigureMail(c.ctx(), c.caller, s, baton.NewSecret(c.r.PostFormValue("password")))
	if err != nil {
		return c.mailFailed(err, &f)
	}
	return c.redirect("/settings/mail")
}

func testMail(c *call) error {
	to, err := c.console().TestMail(c.ctx(), c.caller)
	if err != nil {
		return c.mailFailed(err, nil)
	}
	p, err := c.mail()
	if err != nil {
		return err
	}
	p.Sent = to
	return c.page("mail", "Mail", p)
}

type outboxPage struct {
	Head   settingsTab
	View   govern.MailView
	State  console.MailState
	States []console.MailState
	Rows   []govern.OutboxRow
	Next   string
}

// Chip returns the state of a mail.
func (outboxPage) Chip(s console.MailState) chip {
	switch s {
	case console.MailSent:
		return chip{"good", "Sent"}
	case console.MailFailed:
		return chip{"bad", "Failed"}
	}
	return chip{"plain", "Queued"}
}

// Label returns the name of a filter.
func (p outboxPage) Label(s console.MailState) string { return p.Chip(s).Label }

func outbox(c *call) error {
	p := outboxPage{Head: settingsTabs("outbox"), State: console.MailState(c.r.FormValue("state")), States: console.MailStates()}
	var before store.MailBefore
	if err := c.place(&before); err != nil {
		return err
	}
	var err error
	if p.View, err = c.console().Mail(c.ctx(), c.caller); err != nil {
		return err
	}
	var more bool
	if p.Rows, more, err = c.console().Outbox(c.ctx(), c.caller, p.State, before, rowsPerPage); err != nil {
		return err
	}
	if more {
		last := p.Rows[len(p.Rows)-1]
		p.Next = cursor(store.MailBefore{Created: last.Created, ID: last.ID})
	}
	return c.page("outbox", "Outbox", p)
}

func retryMail(c *call) error {
	if err := c.console().RetryMail(c.ctx(), c.caller, console.ID(c.r.PathValue("mail"))); err != nil {
		return err
	}
	return c.redirect("/settings/mail/outbox")
}

// mailChoicePage is the page where people choose when notices are mailed to them.
type mailChoicePage struct {
	Choice  console.MailChoice
	Choices []mailChoice
	Hour    int
	Emails  []string
	Saved   bool
}

type mailChoice struct {
	Value console.MailChoice
	Label string
}

var mailChoices = []mailChoice{
	{console.MailEach, "Each: soon after something happens"},
	{console.MailDaily, "Daily: one mail a day"},
	{console.MailNone, "None"},
}

func (c *call) mailChoice(saved bool) error {
	choice, err := c.console().MailChoice(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("mail-choice", "My mail", mailChoicePage{choice, mailChoices, console.DailyHour, c.caller.Person.Emails, saved})
}

func mailChoiceForm(c *call) error { return c.mailChoice(false) }

func chooseMail(c *call) error {
	if err := c.console().SetMailChoice(c.ctx(), c.caller, console.MailChoice(c.r.PostFormValue("choice"))); err != nil {
		return err
	}
	return c.mailChoice(true)
}
