package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/rpc"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages holds the templates by name, each with the layout. A template is parsed when it is first
// needed: all of them together take 26 MB.
var pages = eachPage()

func eachPage() map[string]func() *template.Template {
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err) // cannot happen: the pattern is constant
	}
	layout := sync.OnceValue(func() *template.Template {
		return template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	})
	all := map[string]func() *template.Template{}
	for _, f := range files {
		if name := strings.TrimSuffix(path.Base(f), ".html"); name != "layout" && name != "parts" {
			all[name] = sync.OnceValue(func() *template.Template {
				return template.Must(template.Must(layout().Clone()).ParseFS(templateFiles, f))
			})
		}
	}
	return all
}

// frame holds what the layout displays around a page.
type frame struct {
	Title string
	Me    console.Person // zero without a session
	Nav   []navSection
	Path  string
	Page  any
	Now   time.Time
	// Search is the text in the search field.
	Search string
	// Live keeps the page up to date; zero for most pages.
	Live live
	// BreakGlass is the recent use of the emergency login.
	BreakGlass console.BreakGlassUse
	Moment     moment
	// AutomationsPaused means that no automation runs, for those who see automations.
	AutomationsPaused bool
	// Managed is the name of the configuration files that describe the object of the page.
	Managed string
	// Kept is since when the history is kept, on pages that show some; zero if all of it is.
	Kept time.Time
}

// Past returns the query that keeps the moment of the page in a link; "" for now.
func (f frame) Past() string { return past(f.Moment.At) }

type navSection struct {
	Label string
	Links []navLink
}

type navLink struct {
	Label, Path string
	Current     bool
	Waiting     int // number of tasks that wait for the person there
}

// navigation returns the links for a person.
func navigation(me console.Person, at string) []navSection {
	sections := []navSection{
		{"", []navLink{{Label: "Home", Path: "/"}, {Label: "Request access", Path: "/request"}, {Label: "Requests", Path: "/requests"}, {Label: "Approvals", Path: "/approvals"}, {Label: "Reviews", Path: "/reviews"}}},
		{"Govern", []navLink{{Label: "Applications", Path: "/applications"}, {Label: "People", Path: "/people"}, {Label: "Audit", Path: "/audit"}}},
		{"Integrations", []navLink{{Label: "Connectors", Path: "/connectors"}}},
	}
	if console.SeeAccess.Of(me, console.Object{}) {
		sections[1].Links = append(sections[1].Links, navLink{Label: "Findings", Path: "/findings"}, navLink{Label: "Changes", Path: "/changes"}, navLink{Label: "Plans", Path: "/plans"})
	}
	if console.SeeAccess.Of(me, console.Object{}) {
		sections[1].Links = append(sections[1].Links, navLink{Label: "Requirements", Path: "/requirements"})
	}
	if mayCampaigns(me) {
		sections[1].Links = append(sections[1].Links, navLink{Label: "Campaigns", Path: "/campaigns"})
	}
	if console.SeePolicies.Of(me, console.Object{}) {
		sections[1].Links = append(sections[1].Links, navLink{Label: "Policies", Path: "/policies"})
	}
	sections[1].Links = append(sections[1].Links, navLink{Label: "Automations", Path: "/automations"})
	admin := navSection{Label: "Admin", Links: []navLink{{Label: "Connectors", Path: "/admin/connectors"}}}
	if console.SeeSettings.Of(me, console.Object{}) {
		admin.Links = append(admin.Links, navLink{Label: "Sign-in", Path: "/settings/sign-in"}, navLink{Label: "People by SCIM", Path: "/settings/scim"}, navLink{Label: "API credentials", Path: "/settings/api-credentials"}, navLink{Label: "Company domains", Path: "/settings/domains"})
		admin.Links = append(admin.Links, navLink{Label: "Mail", Path: "/settings/mail"}, navLink{Label: "Audit export", Path: "/settings/audit"},
			navLink{Label: "Webhooks", Path: "/settings/webhooks"}, navLink{Label: "Retention", Path: "/settings/retention"}, navLink{Label: "Configuration", Path: "/settings/configuration"})
	}
	sections = append(sections, admin)
	for i, s := range sections {
		for j, l := range s.Links {
			sections[i].Links[j].Current = at == l.Path || l.Path != "/" && strings.HasPrefix(at, l.Path+"/") || l.Path == "/settings/webhooks" && strings.HasPrefix(at, "/settings/hooks/") || l.Path == "/campaigns" && at == "/incompatible"
		}
	}
	return sections
}

// show renders a page.
func (c *call) show(status int, name, title string, data any) error {
	kept, err := c.historyKept()
	if err != nil {
		return err
	}
	f := frame{Kept: kept, Title: title, Me: c.caller.Person, Path: c.r.URL.Path, Page: data, Now: c.console().Now(), BreakGlass: c.caller.BreakGlass, Moment: c.moment()}
	if f.Me.ID != "" {
		f.Nav = navigation(f.Me, c.r.URL.Path)
		waiting, err := c.console().CountApprovals(c.ctx(), c.caller)
		if err != nil {
			return err
		}
		reviews, err := c.console().CountReviews(c.ctx(), c.caller)
		if err != nil {
			return err
		}
		for i, l := range f.Nav[0].Links {
			switch l.Path {
			case "/approvals":
				f.Nav[0].Links[i].Waiting = waiting
			case "/reviews":
				f.Nav[0].Links[i].Waiting = reviews
			}
		}
		if f.AutomationsPaused, err = c.console().AutomationsPaused(c.ctx(), c.caller); err != nil {
			return err
		}
		f.Search = text(c.r.Form.Get("q"))
	}
	if f.Managed, err = c.managedBy(data); err != nil {
		return err
	}
	if l, ok := data.(interface{ live() live }); ok && f.Me.ID != "" {
		f.Live = l.live()
	}
	return c.render(status, name, f)
}

// render writes a page.
func (c *call) render(status int, name string, f frame) error {
	var buf bytes.Buffer
	if err := pages[name]().ExecuteTemplate(&buf, "layout", f); err != nil {
		return baton.Errorf(baton.Internal, "page %s: %w", name, err)
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		c.w.Write(buf.Bytes()) // an error means that the browser is gone
	}
	return nil
}

// page renders a page with status 200.
func (c *call) page(name, title string, data any) error {
	return c.show(http.StatusOK, name, title, data)
}

// static serves the style sheet and the script. Their addresses contain a hash, so they can be
// cached.
func static(c *call) error {
	name := c.r.PathValue("file")
	b, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		return notFound(c)
	}
	c.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(c.w, c.r, name, time.Time{}, bytes.NewReader(b))
	return nil
}

// asset returns the address of a static file.
func asset(name string) (string, error) {
	b, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return "/static/" + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}

var functions = template.FuncMap{
	"asset":        asset,
	"text":         text,
	"count":        count,
	"counted":      counted,
	"says":         says,
	"add64":        func(a, b int64) int64 { return a + b },
	"eventsummary": eventSummary,
	"add":          func(a, b int) int { return a + b },
	"requeststate": summaryChip,
	"when":         when,
	"ago":          ago,
	"past":         past,
	"exact":        exact,
	"showchip":     showChip,
	"causewords":   causeWords,
	"reasonwords":  reasonWords,
	"iso":          func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"chip":         func(kind, label string) chip { return chip{kind, label} },
	"status":       statusChip,
	"state":        stateChip,
	"proof":        proofChip,
	"account":      accountKind,
	"can":          can,

	"connection":  connectionChip,
	"syncstate":   syncStateChip,
	"level":       levelChip,
	"short":       shortTime,
	"sentence":    func(now time.Time, o console.Operation) string { return o.Sentence(now) },
	"operation":   operationChip,
	"requirement": requirementChip,
	"driftrows":   driftRows,
	"configured":  configuredName,
	"configpath":  configuredPath,
	"weblink":     webLink,
	"change":      changeWords,
	"automation":  automationChip,
	"execution":   executionChip,
	"stepstate":   stepChip,
	"jsonlines":   jsonLines,
	"lines":       lines,
	"findingchip": findingChip,
	"planchip":    planChip,
	"paragraphs":  paragraphs,

	"campaignchip": campaignChip,
	"reviewresult": reviewResultChip,

	"planresult": planResultChip,
	"plandoes":   planDoes,
	"planrow":    planRow,
	"rest":       func(all, told int) int { return max(all-told, 0) },
	"digest":     digest,
	"syncwords":  syncWords,
	"byhand":     byHand,
	"did":        console.EventWords,

	"giveback":    giveBackOf,
	"catalogback": catalogBackOf,
	"join":        func(s []string) string { return text(strings.Join(s, ", ")) },
}

// paragraphs returns the lines of a text that are not empty, for display.
func paragraphs(s string) (all []string) {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, text(line))
		}
	}
	return all
}

// text makes bytes of an upstream safe for display: invalid UTF-8 becomes U+FFFD, and characters
// that would move or hide others become visible.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return '\ufffd'
		case 0x200b <= r && r <= 0x200f, 0x202a <= r && r <= 0x202e, 0x2060 <= r && r <= 0x2069, r == 0xfeff: // zero width and direction
			return '\ufffd'
		}
		return r
	}, s)
}

// count formats a number with groups of three digits.
func count(n any) string {
	var v int64
	switch n := n.(type) {
	case int:
		v = int64(n)
	case int64:
		v = n
	}
	s := strconv.FormatInt(v, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// says returns a text of a connector or a guard with a capital letter, for display.
func says(s string) string {
	s = text(s)
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// counted returns a number with its regular noun: "1 item", "5,000 items".
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return count(n) + " " + noun
}

// when formats a time in UTC: "today 14:02", "4 Jan 2026 09:30".
func when(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t, now = t.UTC(), now.UTC()
	day := func(t time.Time) string { return t.Format("2006-01-02") }
	switch day(t) {
	case day(now):
		return "today " + t.Format("15:04")
	case day(now.AddDate(0, 0, -1)):
		return "yesterday " + t.Format("15:04")
	case day(now.AddDate(0, 0, 1)):
		return "tomorrow " + t.Format("15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

// shortTime formats a time for a table, in UTC.
func shortTime(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") }

// exact formats a time with seconds and zone.
func exact(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05") + " UTC" }

// ago formats the time since t in one unit.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	unit := func(n int, name string) string {
		if n != 1 {
			name += "s"
		}
		return strconv.Itoa(n) + " " + name + " ago"
	}
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return unit(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return unit(int(d/time.Hour), "hour")
	}
	return unit(int(d/(24*time.Hour)), "day")
}

// chip is a state as a coloured label.
type chip struct{ Kind, Label string }

func statusChip(s console.Status) chip {
	switch s {
	case console.StatusEnabled:
		return chip{"good", "Enabled"}
	case console.StatusDisabled:
		return chip{"plain", "Disabled"}
	case console.StatusDeleted:
		return chip{"plain", "Deleted"}
	}
	return chip{"plain", "Status not given"}
}

// stateChip returns the chip for the state of an access.
func stateChip(s console.State) chip {
	switch s {
	case console.StateExplained:
		return chip{"good", "Explained"}
	case console.StateUnexplained:
		return chip{"bad", "Unexplained"}
	case console.StateBaseline:
		return chip{"plain", "There when first looked"}
	case console.StateCameBack:
		return chip{"bad", "Came back"}
	case console.StateHeldThrough:
		return chip{"warn", "Held through another"}
	case console.StateEnding:
		return chip{"warn", "Ending"}
	case console.StateOverdue:
		return chip{"bad", "Overdue"}
	case console.StatePending:
		return chip{"plain", "Pending"}
	case console.StateUndone:
		return chip{"warn", "Was undone"}
	}
	return chip{"plain", "Not held"}
}

// proofChip returns the chip for the evidence of an access.
func proofChip(a console.Access) chip {
	switch {
	case a.Operation != nil && a.Operation.State == console.Applied:
		return chip{"plain", "Applied"}
	case a.Operation != nil && a.Operation.State == console.Unknown:
		return chip{"warn", "No answer yet"}
	case a.Held:
		return chip{"good", "Seen in the sync"}
	}
	return chip{"plain", "Not seen"}
}

func accountKind(k console.AccountKind) string {
	switch k {
	case console.AccountService:
		return "service"
	case console.AccountSystem:
		return "system"
	case console.AccountHuman:
		return "user"
	}
	return "user, as far as known"
}

func syncStateChip(s console.SyncState) chip {
	label := strings.ToUpper(string(s[:1])) + string(s[1:])
	switch s {
	case console.SyncApplied:
		return chip{"good", label}
	case console.SyncHeld, console.SyncRefused:
		return chip{"bad", label}
	}
	return chip{"plain", label}
}

// levelChip returns the chip for the level of a finding.
func levelChip(l baton.Level) chip {
	switch l {
	case baton.OK:
		return chip{"good", "In order"}
	case baton.Warning:
		return chip{"warn", "Warning"}
	}
	return chip{"bad", "Failed"}
}

// can reports whether a list of capabilities contains one.
func can(all []rpc.Capability, c string) bool { return slices.Contains(all, rpc.Capability(c)) }
