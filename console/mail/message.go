package mail

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	netmail "net/mail"
	"net/url"
	"strings"
	texttemplate "text/template"
	"time"

	gomail "github.com/wneessen/go-mail"

	"baton"
	"baton/console"
	"baton/internal/output"
)

// Message is a mail to one person.
type Message struct {
	ID      string // the same for all attempts; part of the Message-ID
	At      time.Time
	To      string // e-mail address
	Name    string // of the person
	Subject string
	Text    string
	HTML    string
}

// Item is one notice in a mail.
type Item struct {
	console.Notice
	Link string // absolute URL
}

//go:embed templates
var templateFiles embed.FS

var (
	textTemplate = texttemplate.Must(texttemplate.ParseFS(templateFiles, "templates/mail.txt"))
	htmlTemplate = template.Must(template.ParseFS(templateFiles, "templates/mail.html"))
)

// Subject returns the subject of a mail with notices.
func Subject(notices []console.Notice) string {
	switch len(notices) {
	case 0:
		return ""
	case 1:
		return notices[0].Subject
	}
	return fmt.Sprintf("%s, and %d more", notices[0].Subject, len(notices)-1)
}

// Compose writes a mail. base is the address of the console, where people choose when notices are
// mailed.
func Compose(base *url.URL, m console.Mail, p console.Person, items []Item) (Message, error) {
	data := struct {
		Subject, Name, Settings, Console string
		Items                            []Item
		Security                         bool // only security notices, which cannot be turned off
	}{m.Subject, output.Clean(p.Name), base.JoinPath("me", "mail").String(), base.String(), items, true}
	for _, i := range items {
		data.Security = data.Security && i.Class == console.SecurityNotice
	}
	var text, html bytes.Buffer
	if err := textTemplate.Execute(&text, data); err != nil {
		return Message{}, baton.Errorf(baton.Internal, "write a mail: %w", err)
	}
	if err := htmlTemplate.Execute(&html, data); err != nil {
		return Message{}, baton.Errorf(baton.Internal, "write a mail: %w", err)
	}
	msg := Message{ID: string(m.ID), At: m.Created, Name: p.Name, Subject: m.Subject, Text: text.String(), HTML: html.String()}
	if len(p.Emails) > 0 {
		msg.To = p.Emails[0]
	}
	return msg, nil
}

// write writes the mail with its headers.
func (m Message) write(to io.Writer, settings console.MailSettings) error {
	from, err := netmail.ParseAddress(settings.From)
	if err != nil {
		return baton.Errorf(baton.Invalid, "the sender %q is no e-mail address", settings.From)
	}
	recipient, err := netmail.ParseAddress(m.To)
	if err != nil {
		return baton.Errorf(baton.Refused, "%q is no e-mail address", m.To)
	}
	recipient.Name = output.Clean(strings.ToValidUTF8(m.Name, "?"))
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	msg.FromMailAddress(from)
	msg.ToMailAddress(recipient)
	if settings.ReplyTo != "" {
		if err := msg.ReplyTo(settings.ReplyTo); err != nil {
			return baton.Errorf(baton.Invalid, "the address for answers: %w", err)
		}
	}
	// A line break in a header would begin another one.
	msg.Subject(output.Clean(strings.ToValidUTF8(m.Subject, "?")))
	msg.SetDateWithValue(m.At)
	_, domain, _ := strings.Cut(from.Address, "@")
	msg.SetMessageIDWithValue(m.ID + "@" + domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: asks for no automatic answers
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	if _, err := msg.WriteTo(to); err != nil {
		return baton.Errorf(baton.Internal, "write a mail: %w", err)
	}
	return nil
}
