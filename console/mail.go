package console

import "time"

// MailSettings describe the server that sends mail. Its password is stored apart, sealed.
type MailSettings struct {
	Host    string  `json:"host"` // "" if mail is not configured
	Port    int     `json:"port"`
	TLS     MailTLS `json:"tls"`
	User    string  `json:"user,omitempty"` // "" for a server that needs no login
	From    string  `json:"from"`           // "Baton Console <baton@example.com>"
	ReplyTo string  `json:"reply_to,omitempty"`
}

// MailTLS is how the connection to a mail server is encrypted.
type MailTLS string

const (
	MailSTARTTLS MailTLS = "starttls" // required: nothing is sent to a server without it
	MailImplicit MailTLS = "tls"      // from the first byte, usually on port 465
	MailPlain    MailTLS = "none"     // not at all; only for a server in the operator's own network
)

func MailTLSModes() []MailTLS { return []MailTLS{MailSTARTTLS, MailImplicit, MailPlain} }

// Configured reports whether mail is set up.
func (s MailSettings) Configured() bool { return s.Host != "" }

// SameServer reports whether the password of other settings may be sent with these settings.
func (s MailSettings) SameServer(o MailSettings) bool {
	return s.Host == o.Host && s.Port == o.Port && s.User == o.User
}

// Notice tells one person about one event.
type Notice struct {
	ID      ID
	Event   int64 // number in the chain; a person gets at most one notice for an event
	Person  ID
	Class   NoticeClass
	Created time.Time
	Subject string // actor and action, without a full stop
	Text    string
	Path    string // of the page it links to; "" for none
	// Invitation means that the link must carry the person's invitation, with which the login is set
	// up.
	Invitation bool
	// Asked is the request about which the person is asked; "" for other notices. Once the
	// person is not asked any more, the notice is not mailed.
	Asked ID
}

// NoticeClass is how urgent a notice is.
type NoticeClass string

const (
	OrdinaryNotice NoticeClass = "ordinary" // delivered as the person chose
	SecurityNotice NoticeClass = "security" // delivered at once, whatever the person chose
)

// MailChoice is when a person wants ordinary notices.
type MailChoice string

const (
	MailEach  MailChoice = "each"  // soon after each event
	MailDaily MailChoice = "daily" // once a day
	MailNone  MailChoice = "none"
)

// MailChoices lists the choices.
func MailChoices() []MailChoice { return []MailChoice{MailEach, MailDaily, MailNone} }

// DailyHour is the hour in UTC at which daily mail is sent.
const DailyHour = 7

// Ready returns when a notice is mailed to a person. ok is false if the person does not want it.
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

// Mail is one mail to one person, with one or more notices. Its content never changes, except that
// notices about decisions that are not needed any more are left out: a retry sends the same mail
// with the same Message-ID.
type Mail struct {
	ID       ID
	Person   ID
	State    MailState
	Subject  string
	Address  string // the address last used; "" before the first attempt
	Created  time.Time
	Ended    time.Time // zero while it is queued
	Attempts int
	Detail   string // the problem, for display
}

// MailState is the state of a mail.
type MailState string

const (
	MailQueued MailState = "queued" // waits for its first or next attempt
	MailSent   MailState = "sent"   // the server accepted it
	MailFailed MailState = "failed" // was given up; a person can send it again
)

func MailStates() []MailState { return []MailState{MailQueued, MailSent, MailFailed} }

// The limits of the outgoing mail.
const (
	MailGap     = time.Minute    // between two mails to one person; notices in between are collected in one mail
	MailLife    = 72 * time.Hour // how long delivery is retried
	MailNotices = 50             // per mail
)

// Retry returns when a mail is tried again after the given number of attempts. ok is false if it is
// given up.
func (m Mail) Retry(now time.Time) (when time.Time, ok bool) {
	when = now.Add(min(time.Minute<<min(max(m.Attempts-1, 0), 10), time.Hour))
	return when, when.Before(m.Created.Add(MailLife))
}

// DueMail is the kind of the due rows of people with waiting notices or mails. They refer to the
// person.
const DueMail = "mail"
