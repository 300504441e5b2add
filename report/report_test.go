package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/internal/longtest"
	"baton/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func text(t testing.TB, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func page(t testing.TB, o report.Options) string {
	t.Helper()
	return text(t, func(w io.Writer) error { return report.HTML(t.Context(), w, o) })
}

func table(t testing.TB, o report.Options, name string) [][]string {
	t.Helper()
	i := slices.IndexFunc(report.Tables(), func(t report.Table) bool { return t.Name == name })
	out := text(t, func(w io.Writer) error { return report.CSV(t.Context(), w, o, report.Tables()[i]) })
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

var (
	styles  = regexp.MustCompile(`(?s)<style>.*?</style>|<script[^>]*>.*?</script>`)
	rawData = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)
	digests = regexp.MustCompile(`sha256-[A-Za-z0-9+/=]+`)
)

// TestGolden compares reports with golden files, without style and script.
func TestGolden(t *testing.T) {
	path := twoSyncs(t)
	o := options(t, clubhouse(), path)
	o.AfterSource = report.Source{Name: "club.c1z", Size: 12345, SHA256: strings.Repeat("0123456789abcdef", 4)}
	o.BeforeSource = o.AfterSource
	single := o
	single.Before = nil
	single.Connector = &baton.Connector{Name: "baton-clubhouse", ResourceTypes: clubhouse().ResourceTypes}
	got := map[string]string{
		"club.html":   digests.ReplaceAllString(styles.ReplaceAllString(page(t, o), ""), "sha256-"),
		"single.html": digests.ReplaceAllString(styles.ReplaceAllString(page(t, single), ""), "sha256-"),
		"club.jsonl":  text(t, func(w io.Writer) error { return report.JSONLines(t.Context(), w, o) }),
	}
	for _, table := range report.Tables() {
		got[table.Name+".csv"] = text(t, func(w io.Writer) error { return report.CSV(t.Context(), w, o, table) })
	}
	for name, got := range got {
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if a, b := page(t, o), page(t, o); a != b {
		t.Error("two pages of one file differ")
	}
}

// TestEverythingIsThere: every account and every grant is in the table and in the records, and the page has
// all of a small file.
func TestEverythingIsThere(t *testing.T) {
	w := laterClub()
	o := options(t, clubhouse(), twoSyncs(t))
	access, records, shown := table(t, o, "access"), lines(t, o), page(t, o)
	for _, r := range w.resources {
		if !strings.Contains(shown, ">"+r.ID.ID+"<") {
			t.Errorf("%s is not on the page", r.ID)
		}
		if records["resource"][r.ID.String()] == nil {
			t.Errorf("%s is not among the records", r.ID)
		}
		if r.User != nil && !slices.ContainsFunc(access, func(row []string) bool { return row[0] == r.ID.ID }) {
			t.Errorf("%s is not in the table", r.ID)
		}
	}
	for _, g := range w.grants {
		if !slices.ContainsFunc(access, func(row []string) bool { return row[11] == g.ID.String() }) {
			t.Errorf("%s is not in the table", g.ID)
		}
		if records["grant"][g.ID.String()] == nil {
			t.Errorf("%s is not among the records", g.ID)
		}
	}
	holdsNothing := len(access) - 1 - len(w.grants)
	if holdsNothing != 1 || len(records["grant"]) != len(w.grants) || len(records["resource"]) != len(w.resources) || len(records["entitlement"]) != len(w.entitlements) {
		t.Errorf("%d rows without a grant, %d grants, %d resources, %d entitlements", holdsNothing,
			len(records["grant"]), len(records["resource"]), len(records["entitlement"]))
	}
	all := text(t, func(w io.Writer) error { return report.JSON(t.Context(), w, o) })
	var list []map[string]any
	if err := json.Unmarshal([]byte(all), &list); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, of := range records {
		n += len(of)
	}
	if n != len(list) {
		t.Errorf("%d objects in the array, %d lines", len(list), n)
	}
}

// lines returns the records by kind and id.
func lines(t testing.TB, o report.Options) map[string]map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]map[string]any{}
	for line := range strings.Lines(text(t, func(w io.Writer) error { return report.JSONLines(t.Context(), w, o) })) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kind := record["record"].(string)
		if all[kind] == nil {
			all[kind] = map[string]map[string]any{}
		}
		id, _ := record["id"].(string)
		if label, ok := record["label"].(string); ok {
			id = label
		}
		all[kind][id] = record
	}
	return all
}

// TestChanges: every change is reported with its cause, and nothing else is reported.
func TestChanges(t *testing.T) {
	got := map[string]string{}
	for _, row := range table(t, options(t, clubhouse(), twoSyncs(t)), "changes")[1:] {
		line := row[0]
		if row[6] != "" {
			line += " " + row[6] + ": " + row[7] + " → " + row[8]
		}
		if row[9] != "" {
			line += " (" + row[9] + ")"
		}
		got[row[2]+" "+row[6]] = line
	}
	for i, want := range map[string]string{
		"user:bob status":                              "disabled status: enabled → disabled",
		"user:cy e-mail":                               "modified e-mail: cy@club.example → cy@new.example",
		"user:cy e-mails":                              "modified e-mails: cy@club.example → cy@new.example",
		"user:cy profile email":                        "modified profile email:  → cy@new.example",
		"user:fay ":                                    "removed",
		"user:gus ":                                    "created",
		"group:guests display name":                    "modified display name: Guests → Visitors",
		"group:crew ":                                  "created",
		"group:crew:member ":                           "created (with the new group)",
		"group:crew:member:user:gus ":                  "created (with the new account)",
		"group:crew:member:user:ann ":                  "created (with the new group)",
		"group:keepers:member:user:bob ":               "removed (the account was disabled)",
		"group:keepers:member:user:eve ":               "created",
		"group:choir:member:user:cy ":                  "removed",
		"course:keys:in_progress:user:ann ":            "removed (became completed)",
		"course:keys:completed:user:ann ":              "created (was in progress before)",
		"course:tea:completed:user:bob completed_date": "modified completed_date: 2026-02-04 → 2026-02-05",
		"group:guests:member:user:bob resource":        "modified resource: Guests → Visitors (the group was renamed)",
		"group:guests:member:user:cy resource":         "modified resource: Guests → Visitors (the group was renamed)",
		"group:guests:member:user:ghost resource":      "modified resource: Guests → Visitors (the group was renamed)",
	} {
		if got[i] != want {
			t.Errorf("%s: %q instead of %q", i, got[i], want)
		}
		delete(got, i)
	}
	if len(got) > 0 {
		t.Errorf("told without a reason: %v", got)
	}
}

// TestNothingChanged: the page says that nothing changed, and the table has no rows.
func TestNothingChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "club.c1z")
	write(t, path, first, club())
	if o := options(t, clubhouse(), path); o.Before != nil || !strings.Contains(page(t, o), "The file has no earlier full sync") {
		t.Error("a first sync is compared")
	}
	write(t, path, second, club())
	o := options(t, clubhouse(), path)
	if rows := table(t, o, "changes"); len(rows) != 1 {
		t.Errorf("%q", rows)
	}
	if !strings.Contains(page(t, o), "Nothing. Both syncs hold the same") {
		t.Error("the page does not say that nothing changed")
	}
}

// embedded is the data of a page.
type embedded struct {
	Tables map[string]struct {
		P []int `json:"p"`
		R []any `json:"r"`
	} `json:"tables"`
	People [][]any     `json:"people"`
	Tags   [][2]string `json:"tags"`
}

// pageData checks the data of a page, if there are any, and returns them.
func pageData(t testing.TB, page string) (e embedded) {
	t.Helper()
	found := rawData.FindAllStringSubmatch(page, -1)
	if strings.Count(page, `type="application/json"`) != len(found) || len(found) > 1 {
		t.Fatalf("%d sets of data", len(found))
	}
	if len(found) == 0 {
		return e
	}
	if i := strings.IndexAny(found[0][1], "<>&\u2028\u2029"); i >= 0 {
		t.Errorf("the data have %q", found[0][1][i:min(len(found[0][1]), i+20)])
	}
	d := json.NewDecoder(strings.NewReader(found[0][1]))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	var texts func(any)
	texts = func(v any) {
		switch v := v.(type) {
		case string:
			if strings.ContainsFunc(v, controls) || len(v) > 2500 {
				t.Errorf("the data have %.100q", v)
			}
		case []any:
			for _, one := range v {
				texts(one)
			}
		case map[string]any:
			for _, one := range v {
				texts(one)
			}
		}
	}
	for _, p := range e.People {
		texts([]any(p))
	}
	for _, table := range e.Tables {
		texts(table.R)
	}
	return e
}

// crowdPage returns the page of a generated sync.
func crowdPage(t testing.TB, accounts, groups, grants int, change func(*report.Options)) (string, report.Options) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crowd.c1z")
	write(t, path, first, crowd(accounts, groups, grants))
	o := options(t, clubhouse(), path)
	if change != nil {
		change(&o)
	}
	return page(t, o), o
}

// TestRows: a truncated table says so.
func TestRows(t *testing.T) {
	whole, o := crowdPage(t, 300, 5, 900, nil)
	o.Rows = 20
	cut := page(t, o)
	if strings.Contains(whole, "The first 20 of 300 rows.") || !strings.Contains(cut, `<p class="cut">The first 20 of 300 rows.`) || len(cut) > len(whole)/2 {
		t.Errorf("whole %d bytes, cut %d bytes", len(whole), len(cut))
	}
	counts, err := o.After.Counts(t.Context())
	if rows := table(t, o, "access"); err != nil || len(rows) <= counts[0].Grants || counts[0].Grants < 600 {
		t.Errorf("the table is cut to %d rows of %d (%v)", len(rows), counts[0].Grants, err)
	}
}

// TestDetailsAreBounded: the page lists holders until they take as many rows as ten tables, however many
// resources remain.
func TestDetailsAreBounded(t *testing.T) {
	bounded, o := crowdPage(t, 300, 40, 4000, func(o *report.Options) { o.Rows = 20 })
	if n := strings.Count(bounded, "<details"); n < 9 || n > 20 || !strings.Contains(bounded, "The holders on further groups are in the CSV") {
		t.Errorf("%d resources with their holders", n)
	}
	o.Rows = -1
	if all := page(t, o); strings.Count(all, "<details") != 40 || strings.Contains(all, `<p class="cut">The first`) {
		t.Error("the whole page is cut")
	}
}

// TestLongTables: the HTML has the first rows of a long table and says so, and the data have all rows,
// starting with those of the HTML.
func TestLongTables(t *testing.T) {
	large, o := crowdPage(t, 300, 10, 2000, nil)
	data := pageData(t, large)
	for id, table := range data.Tables {
		_, rest, found := strings.Cut(large, `<table id="`+id+`"`)
		html, _, _ := strings.Cut(rest, "</table>")
		written := strings.Count(html, "<tr><th scope=\"row\">")
		attribute := fmt.Sprintf(`data-partial="%d"`, len(table.R))
		if !found || written >= len(table.R) || written > 50 || !strings.Contains(html, attribute) {
			t.Errorf("%s: %d rows in the HTML, %d in the data", id, written, len(table.R))
		}
		names := regexp.MustCompile(`<th scope="row"><bdi>(.*?)</bdi>`).FindAllStringSubmatch(html, -1)
		for i, name := range names {
			place, ok := table.R[i].(float64)
			if !ok || data.People[int(place)][table.P[0]].([]any)[0] != name[1] {
				t.Errorf("%s: row %d is %s in the HTML and %v in the data", id, i, name[1], table.R[i])
			}
		}
	}
	access := table(t, o, "access")
	if len(data.People) != 300 || len(data.Tables) < 9 {
		t.Errorf("%d people, %d tables in the data", len(data.People), len(data.Tables))
	}
	held := 0
	for _, table := range data.Tables {
		if slices.Contains(table.P, 0) {
			held += len(table.R)
		}
	}
	if held < len(access)-1 {
		t.Errorf("the data have %d rows of accounts, and there are %d grants", held, len(access)-1)
	}
	for _, want := range []string{"<noscript>", `<p class="cut static">The first 50 of 300 rows.`, `<p class="cut static">The first 20 of `} {
		if !strings.Contains(large, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	small := page(t, options(t, clubhouse(), twoSyncs(t)))
	if strings.Contains(small, `class="cut`) || strings.Contains(small, "data-partial=") || strings.Contains(small, "<noscript>") || strings.Contains(small, "application/json") {
		t.Error("a small page is not whole without its script")
	}
}

// TestSizeOfLargePage limits the size of a page with 5,000 accounts. From some 100,000 elements on, a browser
// takes seconds to open it.
func TestSizeOfLargePage(t *testing.T) {
	accounts, grants := longtest.Pick(2000, 5000), longtest.Pick(20_000, 70_000)
	large, _ := crowdPage(t, accounts, 100, grants, nil)
	if elements := strings.Count(large, "<") - strings.Count(large, "</"); elements > 20_000 || len(large) > 500*accounts {
		t.Errorf("%d elements, %d bytes", elements, len(large))
	}
	if n := len(pageData(t, large).People); n != accounts {
		t.Errorf("%d people in the data", n)
	}
}

// TestWhoseFile: a page names the connector only if it wrote the file, and a connector's descriptions are
// used only for files of its kind.
func TestWhoseFile(t *testing.T) {
	other := &baton.Connector{Name: "baton-depot", DisplayName: "Depot", ResourceTypes: []baton.ResourceType{userType,
		{ID: "depot", DisplayName: "Depot", Description: "A depot."}}, Roles: clubhouse().Roles, Review: clubhouse().Review}
	undescribed := clubhouse()
	undescribed.ResourceTypes = slices.Clone(undescribed.ResourceTypes)
	for i := range undescribed.ResourceTypes {
		undescribed.ResourceTypes[i].Description = "Something else."
	}
	path := twoSyncs(t)
	for name, tt := range map[string]struct {
		connector       *baton.Connector
		title, recorded string
		roles           bool
	}{
		"its own":     {clubhouse(), "<title>Clubhouse, club.example: access report, 2026-03-02</title>", "baton-clubhouse", true},
		"of its kind": {undescribed, "<title>club.example: access report, 2026-03-02</title>", "", true},
		"foreign":     {other, "<title>club.example: access report, 2026-03-02</title>", "", false},
	} {
		o := options(t, tt.connector, path)
		whole := page(t, o)
		if !strings.Contains(whole, tt.title) || strings.Contains(whole, "Depot") {
			t.Errorf("%s: the page has no %s", name, tt.title)
		}
		if roles, notes := strings.Contains(whole, "Who is Keeper?"), strings.Contains(whole, "the door is open"); roles != tt.roles || notes != tt.roles {
			t.Errorf("%s: roles: %t, notes: %t", name, roles, notes)
		}
		record := lines(t, o)["report"][""]
		if connector, _ := record["connector"].(string); connector != tt.recorded || record["tenant"] != "club.example" {
			t.Errorf("%s: recorded as %q of %v", name, connector, record["tenant"])
		}
	}
}

// TestTenant: a page is named after the domain of most accounts, or after nothing.
func TestTenant(t *testing.T) {
	for want, addresses := range map[string][]string{
		"<h1>Clubhouse, b.example</h1>": {"ann@a.example", "bob@b.example", "cy@B.example", "", "not an address", "@", "x@"},
		"<h1>Clubhouse</h1>":            {"ann@a.example", "bob@b.example"},
		"a.example (1 account), b.example (1 account), c.example (1 account) and 1 further domain": {"1@a.example", "1@b.example", "1@c.example", "1@d.example"},
	} {
		w := &world{types: clubhouse().ResourceTypes}
		for i, address := range addresses {
			r := w.account(fmt.Sprint("u", i), fmt.Sprint("User ", i), baton.StatusEnabled, nil)
			r.User.Emails, r.User.Login = nil, address
		}
		path := filepath.Join(t.TempDir(), "domains.c1z")
		write(t, path, first, w)
		if whole := page(t, options(t, clubhouse(), path)); !strings.Contains(whole, want) {
			t.Errorf("%q: the page has no %s", addresses, want)
		}
	}
}

// TestEqualNames: accounts with equal names are distinguished wherever names are listed.
func TestEqualNames(t *testing.T) {
	w := &world{types: clubhouse().ResourceTypes}
	for _, id := range []string{"ada1", "ada2", "ada3", "bob"} {
		name := map[bool]string{true: "Ada Haddad", false: "Bob Roe"}[id != "bob"]
		w.account(id, name, baton.StatusEnabled, nil)
	}
	w.resources[2].User.Emails, w.resources[2].User.Login = nil, ""
	w.group("keepers", "Keepers", "ada1", "ada2", "ada3", "bob")
	w.group("guests", "Guests")
	path := filepath.Join(t.TempDir(), "names.c1z")
	write(t, path, first, w)
	w.grants = nil
	write(t, path, second, w)
	whole := page(t, options(t, clubhouse(), path))
	_, card, _ := strings.Cut(whole, ">Who has no role?<")
	card, _, _ = strings.Cut(card, "</ul>")
	for _, want := range []string{
		"<li><bdi>Ada Haddad</bdi><small><bdi>ada1<wbr/>@club.example</bdi></small></li>",
		"<li><bdi>Ada Haddad</bdi><small><bdi>ada2<wbr/>@club.example</bdi></small></li>",
		"<li><bdi>Ada Haddad</bdi><small><bdi>ada3</bdi></small></li>",
		"<li><bdi>Bob Roe</bdi></li>",
	} {
		if !strings.Contains(card, want) {
			t.Errorf("%s is missing in %s", want, card)
		}
	}
	if want := "Ada Haddad (ada1@club.example): Keeper → no role; Ada Haddad (ada2@club.example): Keeper → no role"; !strings.Contains(whole, want) {
		t.Errorf("%q is missing", want)
	}
}

// TestEventsOnce: each event is on the page once, in one table and in one line of the answers.
func TestEventsOnce(t *testing.T) {
	whole := page(t, options(t, clubhouse(), twoSyncs(t)))
	_, answer, _ := strings.Cut(whole, ">What changed since 1 March 2026, 10:01 UTC?</h3>")
	answer, _, _ = strings.Cut(answer, "</dl>")
	got := regexp.MustCompile(`</?[^>]*>`).ReplaceAllString(strings.ReplaceAll(answer, "</dd>", " · "), " ")
	if got := strings.Join(strings.Fields(got), " "); got != "10 Roles Bob Roe: Keeper (also Guest) → Guest, disabled; Eve Moe: no role → Keeper · Access 1 taken away · "+
		"Progress 1 in progress → completed · Accounts 1 created, 1 removed, 1 modified · Resources 1 created, 1 modified · Other 1 ·" {
		t.Errorf("%s", got)
	}
	_, section, _ := strings.Cut(whole, `<section id="changes"`)
	section, _, _ = strings.Cut(section, "</section>")
	for _, once := range []string{"Bob Roe", "Eve Moe", "Gus New", "Fay Doe", "Ann Lee", "Visitors", "Crew"} {
		if n := strings.Count(section, `<th scope="row"><bdi>`+once+"</bdi>"); n != 1 {
			t.Errorf("%s is told %d times", once, n)
		}
	}
}

// TestAnswersLead: a figure links to the list that it counts.
func TestAnswersLead(t *testing.T) {
	whole := page(t, options(t, clubhouse(), twoSyncs(t)))
	for question, want := range map[string]string{
		"Who is Keeper?":                              "Ann Lee, Eve Moe",
		"Who has no role?":                            "Gus New, Hal Loe",
		"Who is disabled and in a role group?":        "Dee Poe, Bob Roe",
		"What changed since 1 March 2026, 10:01 UTC?": "",
	} {
		_, rest, _ := strings.Cut(whole, ">"+question+"<")
		_, rest, _ = strings.Cut(rest, `href="#`)
		id, _, _ := strings.Cut(rest, `"`)
		_, rest, _ = strings.Cut(whole, `<table id="`+id+`"`)
		rows, _, _ := strings.Cut(rest, "</table>")
		var got []string
		for _, row := range regexp.MustCompile(`<th scope="row"><bdi>(.*?)</bdi>`).FindAllStringSubmatch(rows, -1) {
			got = append(got, row[1])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s leads to %q with %v, not to %s", question, id, got, want)
		}
	}
}

var hostile = []string{
	`</script><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `<svg/onload=alert(1)>`, `javascript:alert(1)`,
	`{{.}}{{template "page"}}`, `<!--`, `]]>`, `&lt;b&gt;`, "`${alert(1)}`", `</title></style></table>`,
	`=cmd|' /C calc'!A0`, `+1+1`, `-2+3`, `@SUM(1)`, "\t=1+1", "\r=1+1", "\n=1+1", "  =1+1", "\u200b=1+1", "＝1+1", `=HYPERLINK("http://x","y")`,
	"\x1b[31mred\x1b]8;;http://x\x07", "a\x00b", "\u009b31m", "safe\u202egnp.exe", "\u2066\u2067\u2069", "\ufeffbom", "\U000e0041tag", "x\u2028y",
	"مرحبا بالعالم", "שלום", "👩\u200d👩\u200d👧 🏳️\u200d🌈", "Z" + strings.Repeat("\u0335\u0321", 60), strings.Repeat("long ", 4000), strings.Repeat("W", 900),
	`a,b;"c"`, "two\nlines", "'quoted", "日本語 ﷽", "ＡＢＣ", "\u3164", "",
}

// hostileWorld uses each of the names wherever a name can be.
func hostileWorld(names []string) *world {
	kind := groupType
	kind.DisplayName, kind.Description = names[0]+"y", names[len(names)-1]
	w := &world{types: []baton.ResourceType{userType, kind}}
	for i, name := range names {
		id := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		r := w.account(id, name, baton.Status(i%4), baton.Profile{"department": name, "key " + name: name})
		r.User.Emails[0].Address, r.User.Login, r.Description = name, name, name
		w.group(id, name, id, "nobody "+id)
		g := &w.grants[len(w.grants)-1]
		g.Metadata = baton.Profile{"note": name, "n" + name: name}
	}
	return w
}

// TestHostileNames: no name becomes markup, a formula, or a control character in the output, and the records
// keep all of them.
func TestHostileNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hostile.c1z")
	write(t, path, first, club())
	write(t, path, second, hostileWorld(hostile))
	c := clubhouse()
	c.Review = func(baton.Facts) ([]baton.Note, error) {
		var notes []baton.Note
		for _, name := range hostile {
			notes = append(notes, baton.Note{Level: baton.Warning, Label: name, Text: name})
		}
		return notes, nil
	}
	o := options(t, c, path)
	o.Program, o.AfterSource.Name = hostile[0], hostile[1]
	checkPage(t, page(t, o))
	checkTables(t, o)
	records := lines(t, o)
	for i, name := range hostile {
		id := "user:" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		if got := records["resource"][id]["display_name"]; got != name {
			t.Errorf("%q is %q in the records", name, got)
		}
	}
	raw := text(t, func(w io.Writer) error { return report.JSONLines(t.Context(), w, o) })
	if i := strings.IndexFunc(raw, func(r rune) bool { return r != '\n' && controls(r) }); i >= 0 {
		t.Errorf("%q is in the records", raw[i:i+10])
	}
}

// controls reports whether the rune changes the display of others.
func controls(r rune) bool {
	return unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r >= 0xe0000 && r < 0xe1000
}

// elements lists the elements that the page may have, and attributes their attributes.
var elements = strings.Fields(`html head meta title body a header p h1 h2 h3 h4 dl div dt dd code time nav ul li main section bdi b figure figcaption
	svg rect span details summary table caption thead tbody tr th td small del ins wbr noscript`)

var attributes = strings.Fields(`lang charset http-equiv content name class href id aria-labelledby aria-label aria-hidden role tabindex scope viewBox
	preserveAspectRatio x width height rx data-large data-partial data-label open datetime`)

// checkPage parses the page strictly as XML and allows only the known elements and attributes.
func checkPage(t testing.TB, page string) {
	t.Helper()
	if strings.Count(page, "<script>") != 1 || strings.Count(page, "<style>") != 1 {
		t.Error("there is not one style and one script")
	}
	pageData(t, page)
	d := xml.NewDecoder(strings.NewReader(styles.ReplaceAllString(page, "")))
	ids, links := map[string]bool{}, map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if !slices.Contains(elements, token.Name.Local) {
				t.Errorf("element %s", token.Name.Local)
			}
			for _, a := range token.Attr {
				if !slices.Contains(attributes, a.Name.Local) {
					t.Errorf("attribute %s of %s", a.Name.Local, token.Name.Local)
				}
				switch {
				case a.Name.Local == "id" && ids[a.Value]:
					t.Errorf("id %q twice", a.Value)
				case a.Name.Local == "id":
					ids[a.Value] = true
				case a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#"):
					t.Errorf("link to %q", a.Value)
				case a.Name.Local == "href":
					links[a.Value[1:]] = true
				case a.Name.Local == "aria-labelledby":
					links[a.Value] = true
				}
			}
		case xml.CharData:
			if i := bytes.IndexFunc(token, controls); i >= 0 {
				t.Errorf("text with a control: %q", token[i:min(len(token), i+20)])
			}
			if i := bytes.IndexFunc(token, func(r rune) bool { return r > ' ' }); i >= 0 && len(token) > 2500 {
				t.Errorf("a text of %d bytes", len(token))
			}
		case xml.Comment:
			t.Errorf("comment %q", token)
		}
	}
	for _, link := range slices.Sorted(maps.Keys(links)) {
		if !ids[link] {
			t.Errorf("nothing has the id %q", link)
		}
	}
}

func checkTables(t testing.TB, o report.Options) {
	t.Helper()
	for _, one := range report.Tables() {
		if one.Name == "changes" && o.Before == nil {
			continue
		}
		for _, row := range table(t, o, one.Name) {
			for _, cell := range row {
				bare := strings.TrimLeftFunc(cell, unicode.IsSpace)
				if bare != "" && strings.ContainsRune("=+-@＝＋－＠\t\r", []rune(bare)[0]) {
					t.Errorf("%s: %q begins like a formula", one.Name, cell)
				}
				if strings.ContainsFunc(cell, func(r rune) bool { return controls(r) || r == '\n' }) {
					t.Errorf("%s: %q has a control", one.Name, cell)
				}
			}
		}
	}
}

// TestPolicy: the policy allows only the page's own style and script, by their hashes.
func TestPolicy(t *testing.T) {
	whole := page(t, options(t, clubhouse(), twoSyncs(t)))
	checkPage(t, whole)
	for _, want := range []string{"default-src &#39;none&#39;", "base-uri &#39;none&#39;", "form-action &#39;none&#39;"} {
		if !strings.Contains(whole, want) {
			t.Errorf("the policy does not say %s", want)
		}
	}
	for _, tag := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(whole, "<"+tag+">")
		content, _, _ := strings.Cut(rest, "</"+tag+">")
		if want := "sha256-" + digest(content); content == "" || !strings.Contains(unescape(whole), want) {
			t.Errorf("the policy does not allow the page's own %s", tag)
		}
	}
	if outside := regexp.MustCompile(`url\(|@import|https?://(?:[^w]|w[^w])|fetch\(|XMLHttp|eval\(|innerHTML`).FindString(whole); outside != "" {
		t.Errorf("the page has %q", outside)
	}
}

// FuzzNames: no name adds markup to the page.
func FuzzNames(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		name = strings.ToValidUTF8(name, "?") // files only hold valid UTF-8
		path := filepath.Join(t.TempDir(), "f.c1z")
		write(t, path, first, hostileWorld([]string{name, "Ann", name + name}))
		o := options(t, clubhouse(), path)
		checkPage(t, page(t, o))
		checkTables(t, o)
		if got := lines(t, o)["resource"]["user:a"]["display_name"]; got != name {
			t.Errorf("%q is %q in the records", name, got)
		}
	})
}
