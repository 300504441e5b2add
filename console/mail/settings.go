package mail

import (
	netmail "net/mail"
	"strings"

	"baton"
	"baton/console"
)

// Check returns an Invalid error if settings are not valid.
func Check(s console.MailSettings) error {
	switch {
	case s.Host == "":
		return baton.Errorf(baton.Invalid, "the mail server is missing").WithFix("Enter its name, such as smtp.example.com.")
	case strings.ContainsFunc(s.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/@[]", r) }):
		return baton.Errorf(baton.Invalid, "%q is no name of a server", s.Host).WithFix("Enter a name or an address without a port, such as smtp.example.com.")
	case s.Port < 1 || s.Port > 65535:
		return baton.Errorf(baton.Invalid, "%d is no port", s.Port).WithFix("Most servers take mail on port 587 with STARTTLS, or on 465 with TLS.")
	case s.TLS != console.MailSTARTTLS && s.TLS != console.MailImplicit && s.TLS != console.MailPlain:
		return baton.Errorf(baton.Invalid, "%q is no way to encrypt", s.TLS).WithFix("Choose starttls, tls or none.")
	case s.TLS == console.MailPlain && s.User != "":
		return baton.Errorf(baton.Invalid, "a password is sent over TLS only").WithFix("Choose STARTTLS or TLS, or leave out the user.")
	case strings.ContainsAny(s.User, "\x00\r\n"):
		return baton.Errorf(baton.Invalid, "the user has a line break in it")
	}
	if _, err := netmail.ParseAddress(s.From); err != nil {
		return baton.Errorf(baton.Invalid, "the sender %q is no e-mail address", s.From).WithFix("Write it as baton@example.com, or as Baton Console <baton@example.com>.")
	}
	if s.ReplyTo != "" {
		if _, err := netmail.ParseAddress(s.ReplyTo); err != nil {
			return baton.Errorf(baton.Invalid, "the address for answers %q is no e-mail address", s.ReplyTo).WithFix("Write it as it@example.com, or leave it out.")
		}
	}
	return nil
}
