package console

import "time"

// MailSettings say through which server mail is sent. The password is sealed apart from
// them.
type MailSettings struct {
	Host    string  `json:"host"` // "" when mail is not set up
	Port    int     `json:"port"`
	TLS     MailTLS `json:"tls"`
	User    string  `json:"user,omitempty"` // "" for a server that asks for no login
	From    string  `json:"from"`           // "Baton Console <baton@example.com>"
	ReplyTo string  `json:"reply_to,omitempty"`
}

// MailTLS says how the connection to a mail server is encrypted.
type MailTLS string

// The ways to encrypt the connection to a mail server.
const (
	MailSTARTTLS MailTLS = "starttls" // required: a server without it gets nothing
	MailImplicit MailTLS = "tls"      // from the first byte, usually on port 465
	MailPlain    MailTLS = "none"     // not at all; inside a network of the operator only
)

// MailTLSModes lists the ways to encrypt.
func MailTLSModes() []MailTLS { return []MailTLS{MailSTARTTLS, MailImplicit, MailPlain} }

// Configured reports whether mail is set up.
func (s MailSettings) Configured() bool { return s.Host != "" }

// SameServer reports whether a password that was entered for the other settings may be sent
// with these.
func (s MailSettings) SameServer(o MailSettings) bool {
	return s.Host == o.Host && s.Port == o.Port && s.User == o.User
}

// Notice tells one person about one event.
type Notice struct {
	ID      ID
	Event   int64 // number in the chain; a person gets at most one notice of an event
	Person  ID
	Class   NoticeClass
	Created time.Time
	Subject string // who and what, without a full stop
	Text    string
	Path    string // of the page to go to; "" for none
	// Invitation says that the page is the one on which the person sets up the login; the
	// link of the person's invitation leads there.
	Invitation bool
}

// NoticeClass says how a notice is treated.
type NoticeClass string

// The classes of notices.
const (
	OrdinaryNotice NoticeClass = "ordinary" // as the person chose
	SecurityNotice NoticeClass = "security" // at once, whatever the person chose
)

// MailChoice says how a person wants notices that do not concern security.
type MailChoice string

// The choices.
const (
	MailEach  MailChoice = "each"  // soon after each event
	MailDaily MailChoice = "daily" // once a day
	MailNone  MailChoice = "none"
)

// MailChoices lists the choices.
func MailChoices() []MailChoice { return []MailChoice{MailEach, MailDaily, MailNone} }

// DailyHour is the hour, UTC, at which daily mail is sent.
const DailyHour = 7

// Ready returns when a notice is to be mailed to a person. ok is false if the person does
// not want it.
func (c MailChoice) Ready(n Notice) (when time.Time, ok bool) {
	switch {
	case n.Class == SecurityNotice || c == MailEach || c == "":
		return n.Created, true
	case c == MailNone:
		return time.Time{}, false
	}
	at := n.Created.UTC()
	daily := time.Date(at.Year(), at.Month(), at.Day(), DailyHour, 0, 0, 0, time.UTC)
	if !daily.After(at) {
		daily = daily.AddDate(0, 0, 1)
	}
	return daily, true
}

// Mail is one mail to one person, with one or more notices. What it says does not change
// once it exists: sent again, it is the same mail with the same Message-ID.
type Mail struct {
	ID       ID
	Person   ID
	State    MailState
	Subject  string
	Address  string // that it was last sent to; "" before the first attempt
	Created  time.Time
	Ended    time.Time // zero while it waits
	Attempts int
	Detail   string // what hinders it, for people
}

// MailState says how far a mail is.
type MailState string

// The states of mails.
const (
	MailQueued MailState = "queued" // waits for its first or next attempt
	MailSent   MailState = "sent"   // the server accepted it
	MailFailed MailState = "failed" // was given up; a person can have it sent again
)

// MailStates lists the states of mails.
func MailStates() []MailState { return []MailState{MailQueued, MailSent, MailFailed} }

// The limits of the outbox.
const (
	MailGap     = time.Minute         // between two mails to one person: what comes meanwhile is one mail
	MailLife    = 72 * time.Hour      // how long a mail is tried
	MailKept    = 30 * 24 * time.Hour // how long mails that were sent or given up are shown
	MailNotices = 50                  // notices in one mail
)

// Retry returns when a mail is tried again after so many attempts. ok is false if it
// is given up.
func (m Mail) Retry(now time.Time) (when time.Time, ok bool) {
	when = now.Add(min(time.Minute<<min(max(m.Attempts-1, 0), 10), time.Hour))
	return when, when.Before(m.Created.Add(MailLife))
}

// DueMail is the kind of the due rows of people who have notices or mails waiting. They
// refer to the person.
const DueMail = "mail"
