// Package notify decides who is notified of an event, and with which text. [Rules] defines this
// completely: one row for each kind of event and group of people. The package works on values and
// reads no database.
package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/internal/english"
	"baton/internal/output"
)

// Directory returns facts about people at the time of the notice.
type Directory interface {
	Person(console.ID) (console.Person, error)
	App(console.ID) (console.App, error)
	Connector(console.ID) (console.Connector, error)
	// PersonsWithRole returns the active people who have a role, up to n.
	PersonsWithRole(role console.ConsoleRole, n int) ([]console.ID, error)
}

// Rule defines who is notified of a kind of event. If two rules notify a person of one event, the
// first applies.
type Rule struct {
	Kind  string // of the event
	To    Recipients
	Class console.NoticeClass
	// Subject, Text and Path are templates over a [View]. A subject names actor and action; the path
	// is that of the page to open. Names need no escaping in templates: the output is made safe.
	Subject, Text, Path string
	// You follows the text in mails. It is for whoever is notified, and nobody else.
	You string
	// Channel means that subject and text are not about whoever is notified, so that they can be
	// posted to a channel.
	Channel bool
	// Invitation means that the page is that of the person's invitation.
	Invitation bool
	// Asks means that the person is asked to decide about the request. Whoever is not asked any more when
	// the mail is sent is not notified.
	Asks bool
	// When is a further condition; nil: none.
	When func(View) bool
}

// Recipients returns the people whom a rule notifies.
type Recipients func(View) ([]console.ID, error)

// View is the data of an event for rules.
type View struct {
	Event     console.Event
	By        string            // the actor's name; "the console" if no person acted
	Person    console.Person    // the person it is about; zero if none
	App       console.App       // zero if none
	Connector console.Connector // zero if none
	Data      map[string]any
	directory Directory
}

// IDs returns the ids in a field of the event's data.
func (v View) IDs(field string) (ids []console.ID) {
	list, _ := v.Data[field].([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			ids = append(ids, console.ID(s))
		}
	}
	return ids
}

// Time formats the time in a field of the event's data.
func (v View) Time(field string) string {
	s, _ := v.Data[field].(string)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return "an unknown time"
	}
	return t.UTC().Format("2 Jan 2006 15:04") + " UTC"
}

// Roles formats the console roles in a field of the event's data.
func (v View) Roles(field string) string {
	var names []string
	for _, r := range v.IDs(field) {
		names = append(names, console.ConsoleRole(r).Label())
	}
	if len(names) == 0 {
		return "none"
	}
	return english.And(names)
}

// Notices returns the notices for an event. People who are not active, and the person who caused the
// event, get none. Only security notices about their own login go to those who caused them too,
// because it may have been somebody else.
func Notices(number int64, e console.Event, d Directory) ([]console.Notice, error) {
	return notices(Rules, number, e, d)
}

func notices(rules []Rule, number int64, e console.Event, d Directory) ([]console.Notice, error) {
	rules = slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.Kind != e.Kind })
	if len(rules) == 0 {
		return nil, nil
	}
	v, err := view(e, d)
	if err != nil {
		return nil, err
	}
	var all []console.Notice
	told := map[console.ID]bool{}
	for _, r := range rules {
		if r.When != nil && !r.When(v) {
			continue
		}
		ids, err := r.To(v)
		if err != nil {
			return nil, err
		}
		n := r.notice(v)
		n.Event, n.Created = number, e.At
		for _, id := range ids {
			p, err := canonical(d, id)
			if err != nil {
				return nil, err
			}
			if p.ID == "" || p.Status != console.PersonActive || told[p.ID] || p.ID == e.Actor.Person() && r.Class != console.SecurityNotice {
				continue
			}
			told[p.ID] = true
			n.Person = p.ID
			all = append(all, n)
		}
	}
	return all, nil
}

// Post returns what is posted to a channel about an event, and the path of the page to open, "" if
// there is none.
func Post(e console.Event, d Directory) (subject, text, path string, err error) {
	v, err := view(e, d)
	if err != nil {
		return "", "", "", err
	}
	for _, r := range Rules {
		if r.Kind == e.Kind && r.Channel && (r.When == nil || r.When(v)) {
			r.You = ""
			n := r.notice(v)
			return n.Subject, n.Text, n.Path, nil
		}
	}
	subject = v.By + " " + console.EventWords(e.Kind)
	if about := about(v); len(about) > 0 {
		subject += ": " + strings.Join(about, ", ")
	}
	return shorten(output.Clean(strings.ToValidUTF8(capital(subject), "?")), maxSubject), "", "", nil
}

// about returns the names of what an event is about.
func about(v View) (names []string) {
	for _, name := range []string{v.Person.Name, v.Connector.Name, v.App.Name} {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// view reads the objects of an event. Objects that no longer exist are zero.
func view(e console.Event, d Directory) (v View, err error) {
	v = View{Event: e, By: "the console", Data: map[string]any{}, directory: d}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &v.Data); err != nil {
			return v, baton.Errorf(baton.Corrupt, "data of event %s: %w", e.Kind, err)
		}
	}
	ignoreMissing := func(err error) error {
		if baton.KindOf(err) == baton.NotFound {
			return nil
		}
		return err
	}
	if id := e.Actor.Person(); id != "" {
		p, err := d.Person(id)
		if err := ignoreMissing(err); err != nil {
			return v, err
		}
		v.By = p.Name
	}
	if e.Person != "" {
		if v.Person, err = d.Person(e.Person); ignoreMissing(err) != nil {
			return v, err
		}
	}
	if whose, ok := v.Data["whose"].(string); ok && e.Person == "" {
		v.Person.Name = whose
	}
	if e.Connector != "" {
		if v.Connector, err = d.Connector(e.Connector); ignoreMissing(err) != nil {
			return v, err
		}
		if e.App == "" {
			e.App = v.Connector.App
		}
	}
	if e.App != "" {
		if v.App, err = d.App(e.App); ignoreMissing(err) != nil {
			return v, err
		}
	}
	return v, nil
}

// canonical returns the person that an ID was merged into; zero if there is none.
func canonical(d Directory, id console.ID) (console.Person, error) {
	p, err := d.Person(id)
	if err == nil && p.MergedInto != "" {
		p, err = d.Person(p.MergedInto)
	}
	if baton.KindOf(err) == baton.NotFound {
		return console.Person{}, nil
	}
	return p, err
}

// The maximum lengths of the texts of a notice, in characters.
const (
	maxSubject = 140
	maxText    = 2000
)

// notice executes the templates of a rule. If one fails, it uses a general text, so that people are
// still notified.
func (r Rule) notice(v View) console.Notice {
	n := console.Notice{Class: r.Class, Invitation: r.Invitation}
	if r.Asks {
		n.Asked = console.ID(v.Event.Object)
	}
	var err error
	if n.Subject, err = fill(r.Subject, v); err != nil || n.Subject == "" {
		n.Subject = "Something happened: " + r.Kind
	}
	if n.Text, err = fill(strings.TrimSpace(r.Text+" "+r.You), v); err != nil || n.Text == "" {
		n.Text = n.Subject + "."
	}
	if n.Path, err = fill(r.Path, v); err != nil || !strings.HasPrefix(n.Path, "/") {
		n.Path = "/"
	}
	n.Subject, n.Text = shorten(n.Subject, maxSubject), shorten(capital(n.Text), maxText)
	return n
}

func fill(text string, v View) (string, error) {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("template %q: %w", text, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return "", err
	}
	return strings.TrimSpace(output.Clean(strings.ToValidUTF8(b.String(), "?"))), nil
}

// capital returns text with a capital first letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
