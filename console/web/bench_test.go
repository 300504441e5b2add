package web

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/ksuid"
	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
)

var (
	benchGrants = flag.Int("grants", 20_000, "grants of the tenant in BenchmarkPages")
	benchOnly   = flag.String("pages", "", "regular expression of the pages that BenchmarkPages measures")
	benchRounds = flag.Int("rounds", 100, "requests of each page in BenchmarkPages")
)

const benchGroups = 1000

// largeTenant writes a sync of n accounts with four grants each, one of them in a group with all
// accounts. The first accounts are in different groups.
func largeTenant(b *testing.B, began time.Time, accounts, changed int) string {
	path := filepath.Join(b.TempDir(), "sync.c1z")
	w, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: "full", Started: began})
	add := func(r writer.Row, err error) {
		if err == nil {
			err = w.Add(r)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	member := func(g int) baton.EntitlementID {
		return baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: fmt.Sprintf("g%04d", g)}, Slug: "member"}
	}
	for g := range benchGroups {
		add(writer.ResourceRow(baton.Resource{ID: member(g).Resource, DisplayName: fmt.Sprintf("Group %d", g), Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: member(g), DisplayName: fmt.Sprintf("Group %d member", g), Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
	}
	random := rand.New(rand.NewPCG(3, 4))
	for n := range accounts {
		status := baton.StatusEnabled
		if n%50 == 49 {
			status = baton.StatusDisabled
		}
		id := baton.ResourceID{Type: "user", ID: fmt.Sprintf("2819c223-7f76-453a-919d-%012d", n)}
		add(writer.ResourceRow(baton.Resource{ID: id, DisplayName: benchName(n), Status: status,
			User: &baton.User{Login: fmt.Sprintf("person%d@example.test", n), Emails: []baton.Email{{Address: fmt.Sprintf("person%d@example.test", n), Primary: true}}}}))
		held := map[int]bool{0: true}
		for len(held) < 4 {
			held[1+random.IntN(benchGroups-1)] = true
		}
		for g := range held {
			if n < changed && g != 0 {
				g = 1 + g%(benchGroups-1)
			}
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member(g), Principal: id}}))
		}
	}
	if _, err := w.Seal(b.Context(), began.Add(time.Minute)); err != nil {
		b.Fatal(err)
	}
	return path
}

// benchName returns the name of an account. Thousands share each of its words.
func benchName(n int) string {
	return fmt.Sprintf("%s%d %s%d", []string{"Ada", "Björn", "Chiara", "Daniel"}[n%4], n%97, []string{"Okafor", "Tanaka", "Dubois"}[n%3], n%9973)
}

// pageBench is one database under measurement.
type pageBench struct {
	b        *testing.B
	name     string
	open     func() *store.Store
	floor    func(sql string, args ...any) error // runs one statement with the library only
	server   func() time.Duration                // processor time of the database's server
	accounts int
	owned    int // accounts with an owner

	connector   console.ID
	app, person console.ID
	first       console.ResourceKey // of the accounts, which are numbered in the order of their ids
	group       console.EntitlementKey
}

// prepare applies two syncs, gives the app roles, and some accounts owners.
func (p *pageBench) prepare(files []string) {
	check := func(err error) {
		p.b.Helper()
		if err != nil {
			p.b.Fatal(err)
		}
	}
	s := p.open()
	ctx, now := p.b.Context(), noon
	by := console.By{At: now, Actor: console.Console}
	check(s.Update(ctx, by, func(tx *store.Tx) (err error) {
		owner, err := tx.AddPerson(console.Person{Name: "Owner", Emails: []string{"owner@example.test"}, Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err != nil {
			return err
		}
		if p.app, err = tx.AddApp(console.App{Name: "Large", Owners: []console.ID{owner}}); err != nil {
			return err
		}
		p.connector, err = tx.AddConnector(console.Connector{App: p.app, Name: "large", Product: "perplexity"})
		return err
	}))
	in := &ingest.Ingester{Store: s, Scratch: p.b.TempDir(), Now: func() time.Time { return now }}
	for _, path := range files {
		file, err := os.Open(path)
		check(err)
		id, err := in.Receive(ctx, console.Console, ingest.Origin{Connector: p.connector, Kind: console.SyncFull, Dispatched: now}, file)
		check(err)
		file.Close()
		applied, err := in.Apply(ctx, console.Console, id)
		check(err)
		if applied.State != console.SyncApplied {
			p.b.Fatalf("the sync is %s: %s %v", applied.State, applied.Why, applied.Holds)
		}
	}
	check(s.Update(ctx, by, func(tx *store.Tx) error {
		m, err := tx.Moment(p.app, time.Time{})
		if err != nil {
			return err
		}
		first, err := tx.ResourceByID(m, "user", fmt.Sprintf("2819c223-7f76-453a-919d-%012d", 0))
		if err != nil {
			return err
		}
		p.first = first.Key
		e, err := tx.EntitlementByID(m, "group:g0000:member")
		if err != nil {
			return err
		}
		p.group = e.Key
		for n := range min(p.owned, p.accounts) {
			status := console.PersonActive
			if n%100 == 0 {
				status = console.PersonGone
			}
			if p.person, err = tx.AddPerson(console.Person{Name: benchName(n), Emails: []string{fmt.Sprintf("person%d@example.test", n)}, Status: status}); err != nil {
				return err
			}
			if err := tx.SetAccountOwner(p.first+console.ResourceKey(n), p.person, store.OwnerMatched); err != nil {
				return err
			}
		}
		return tx.SetRoleMap(p.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{e.Key + 1}},
			{Name: "Member", Entitlements: []console.EntitlementKey{e.Key}}}}, 2)
	}))
	check(s.Close())
}

// benchPage is a page that is requested at random places.
type benchPage struct {
	name string
	path func(r *rand.Rand) string
	// floor is the statement that reads most of the page's data.
	floor string
	args  func(r *rand.Rand) []any
}

func (p *pageBench) pages() []benchPage {
	app := "/applications/" + string(p.app)
	account := func(r *rand.Rand) int64 { return int64(p.first) + r.Int64N(int64(p.accounts)) }
	entitlement := func(r *rand.Rand) int64 { return int64(p.group) + 1 + r.Int64N(benchGroups-1) }
	place := func(r *rand.Rand) []byte { return console.SortKey(benchName(r.IntN(p.accounts))) }
	from := func(r *rand.Rand) string {
		return "?after=" + url.QueryEscape(cursor(store.ResourceAfter{Sort: place(r), Key: 1}))
	}
	const names = `SELECT l.key, v.name, v.status, v.login, v.detail FROM lookup l JOIN resource_version v ON v.resource = l.key AND v.opened = l.opened
		WHERE l.stream = 1 AND l.list = 1 AND (l.value, l.key) > ($1, 0) AND v.closed > 2 ORDER BY l.value, l.key LIMIT 51`
	const one = `SELECT f.entitlement, f.opened, f.sources FROM fact_by_principal p CROSS JOIN fact f
		WHERE f.stream = 1 AND f.entitlement = p.entitlement AND f.principal = p.principal AND f.opened = p.opened AND p.principal = $1 AND f.closed > 2`
	const holders = `SELECT v.name, v.login, f.opened FROM fact f JOIN resource_version v ON v.resource = f.principal AND v.closed > 2 WHERE f.stream = 1 AND f.entitlement = $1 AND f.closed > 2`
	const past = `SELECT principal, opened, closed FROM fact WHERE stream = 1 AND entitlement = $1 AND closed < 9223372036854775807 ORDER BY closed DESC, principal DESC LIMIT 51`
	const words = `SELECT l.key, v.name FROM lookup l JOIN resource_version v ON v.resource = l.key AND v.opened = l.opened WHERE l.stream = 1 AND l.list = 1 AND l.value >= $1 AND l.value < $2 LIMIT 51`
	at := func(r *rand.Rand) []any { return []any{place(r)} }
	of := func(key func(*rand.Rand) int64) func(*rand.Rand) []any {
		return func(r *rand.Rand) []any { return []any{key(r)} }
	}
	prefix := func(r *rand.Rand) []any {
		name := place(r)
		return []any{name, append(slices.Clone(name), 0xff)}
	}
	filtered := func(query string) func(*rand.Rand) string {
		return func(r *rand.Rand) string { return app + "/accounts" + from(r) + "&" + query }
	}
	changes := func(query string) func(*rand.Rand) string {
		return func(*rand.Rand) string { return app + "/changes" + query }
	}
	then := "at=" + noon.Add(-90*time.Minute).Format("2006-01-02T15:04:05") // between the two syncs
	const changed = `SELECT sync, kind, entitlement, principal FROM changed WHERE stream = 1 AND sync = 2 ORDER BY kind, entitlement, principal LIMIT 51`
	none := func(*rand.Rand) []any { return nil }
	all := []benchPage{
		{"Changes of a week", changes(""), changed, none},
		{"Changes: unexplained", changes("?show=unexplained"), changed, none},
		{"Changes: explained, of which there are none", changes("?show=explained"), changed, none},
		{"Changes: orphaned", changes("?filter=orphaned"), changed, none},
		{"Changes between two syncs", changes("?from=1&to=2"), changed, none},
		{"Changes of all applications", func(*rand.Rand) string { return "/changes" }, changed, none},
		{"Accounts as of then", func(r *rand.Rand) string { return app + "/accounts" + from(r) + "&" + then }, names, at},
		{"Accounts as of then: orphaned", func(r *rand.Rand) string { return app + "/accounts" + from(r) + "&filter=orphaned&" + then }, names, at},
		{"Account as of then", func(r *rand.Rand) string { return fmt.Sprintf("%s/accounts/%d?%s", app, account(r), then) }, one, of(account)},
		{"Entitlements as of then", func(r *rand.Rand) string { return app + "/entitlements?" + then }, names, at},
		{"Entitlement as of then, some 750 holders", func(r *rand.Rand) string { return fmt.Sprintf("%s/entitlements/%d?%s", app, entitlement(r), then) }, holders, of(entitlement)},
		{"Entitlement that everybody held then", func(r *rand.Rand) string {
			return fmt.Sprintf("%s/entitlements/%d?after=%s&%s", app, p.group, cursor(store.HolderAfter{ResourceAfter: store.ResourceAfter{Sort: place(r), Key: 1}}), then)
		}, names, at},
		{"Person as of now, by a moment", func(*rand.Rand) string {
			return "/people/" + string(p.person) + "?at=" + noon.Add(30*time.Minute).Format("2006-01-02T15:04:05")
		}, one, of(account)},
		{"Home", func(*rand.Rand) string { return "/" }, names, at},
		{"Applications", func(*rand.Rand) string { return "/applications" }, names, at},
		{"Accounts", func(r *rand.Rand) string { return app + "/accounts" + from(r) }, names, at},
		{"Accounts: without owner", filtered("filter=without-owner"), names, at},
		{"Accounts: orphaned", filtered("filter=orphaned"), names, at},
		{"Accounts: disabled with access", filtered("filter=disabled"), names, at},
		{"Accounts: role Admin", filtered("role=Admin"), names, at},
		{"Accounts: role Member", filtered("role=Member"), names, at},
		{"Accounts: role unknown", filtered("filter=role-unknown"), names, at},
		{"Accounts: words", func(r *rand.Rand) string {
			return app + "/accounts?search=" + url.QueryEscape(strings.Fields(benchName(r.IntN(p.accounts)))[1])
		}, words, prefix},
		{"Accounts: a word that a quarter has", func(*rand.Rand) string { return app + "/accounts?search=ada" }, words, prefix},
		{"Account", func(r *rand.Rand) string { return fmt.Sprintf("%s/accounts/%d", app, account(r)) }, one, of(account)},
		{"Account: history", func(r *rand.Rand) string { return fmt.Sprintf("%s/accounts/%d/history", app, account(r)) }, one, of(account)},
		{"Why and proof", func(r *rand.Rand) string {
			return fmt.Sprintf("%s/accounts/%d/entitlements/%d", app, account(r), p.group)
		}, one, of(account)},
		{"Entitlements", func(r *rand.Rand) string { return app + "/entitlements" }, names, at},
		{"Entitlement, some 750 holders", func(r *rand.Rand) string { return fmt.Sprintf("%s/entitlements/%d", app, entitlement(r)) }, holders, of(entitlement)},
		{"Entitlement that everybody holds", func(r *rand.Rand) string {
			return fmt.Sprintf("%s/entitlements/%d?after=%s", app, p.group, cursor(store.HolderAfter{ResourceAfter: store.ResourceAfter{Sort: place(r), Key: 1}}))
		}, names, at},
		{"Entitlement: history", func(r *rand.Rand) string { return fmt.Sprintf("%s/entitlements/%d/history", app, entitlement(r)) }, past, of(entitlement)},
		{"History of the one that everybody holds", func(r *rand.Rand) string { return fmt.Sprintf("%s/entitlements/%d/history", app, p.group) }, past, of(entitlement)},
		{"People", func(r *rand.Rand) string {
			return "/people?after=" + url.QueryEscape(cursor(store.NameAfter{Sort: place(r), ID: ""}))
		}, names, at},
		{"Person", func(*rand.Rand) string { return "/people/" + string(p.person) }, one, of(account)},
		{"Person: history", func(*rand.Rand) string { return "/people/" + string(p.person) + "/history" }, one, of(account)},
		{"Search", func(r *rand.Rand) string {
			return "/search?q=" + url.QueryEscape(strings.Fields(benchName(r.IntN(p.accounts)))[1])
		}, words, prefix},
		{"Connectors", func(*rand.Rand) string { return "/connectors" }, names, at},
	}
	wanted := regexp.MustCompile(*benchOnly)
	return slices.DeleteFunc(all, func(page benchPage) bool { return !wanted.MatchString(page.name) })
}

// measure starts a new server and requests pages. It returns the durations for each.
func (p *pageBench) measure(pages []benchPage) (rows [][3]time.Duration) {
	s := p.open()
	defer s.Close()
	console := govern.New(govern.Config{Store: s, Products: products, Now: func() time.Time { return noon.Add(time.Hour) }})
	token, err := console.DemoSignIn(p.b.Context(), "owner@example.test", "127.0.0.1")
	if err != nil {
		p.b.Fatal(err)
	}
	server := httptest.NewServer(New(Config{Console: console}))
	defer server.Close()
	random := rand.New(rand.NewPCG(5, 6))
	quantile := func(all []time.Duration, percent int) time.Duration {
		slices.Sort(all)
		return all[(len(all)-1)*percent/100]
	}
	for _, page := range pages {
		var took, bare []time.Duration
		for range *benchRounds {
			r, err := http.NewRequest(http.MethodGet, server.URL+page.path(random), nil)
			if err != nil {
				p.b.Fatal(err)
			}
			r.AddCookie(&http.Cookie{Name: "session", Value: token.Reveal()})
			began := time.Now()
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				p.b.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			took = append(took, time.Since(began))
			if err != nil || resp.StatusCode != http.StatusOK {
				p.b.Fatalf("%s: %s %v\n%s", r.URL, resp.Status, err, body)
			}
		}
		for range *benchRounds {
			args := page.args(random)
			began := time.Now()
			if err := p.floor(page.floor, args...); err != nil {
				p.b.Fatalf("%s: %v", page.name, err)
			}
			bare = append(bare, time.Since(began))
		}
		rows = append(rows, [3]time.Duration{quantile(took, 50), quantile(took, 95), quantile(bare, 95)})
		p.b.ReportMetric(float64(rows[len(rows)-1][1].Microseconds())/1000, "ms-p95/"+strings.NewReplacer(" ", "-", ":", "", ",", "").Replace(page.name))
	}
	return rows
}

// onEachDatabase runs a benchmark with a large tenant on both databases.
func onEachDatabase(b *testing.B, accounts, owned int, files []string, run func(p *pageBench)) {
	b.Run("sqlite", func(b *testing.B) {
		for b.Loop() {
			path := filepath.Join(b.TempDir(), "console.db")
			p := &pageBench{b: b, name: "SQLite", accounts: accounts, owned: owned, open: func() *store.Store {
				s, err := sqlite.Open(b.Context(), sqlite.Config{Path: path, Now: noon}, nil)
				if err != nil {
					b.Fatal(err)
				}
				return s
			}, server: func() time.Duration { return 0 }}
			p.prepare(files)
			conn, err := zs.OpenConn(path, zs.OpenReadOnly)
			if err != nil {
				b.Fatal(err)
			}
			p.floor = func(sql string, args ...any) error {
				return sqlitex.Execute(conn, strings.ReplaceAll(sql, "$", "?"), &sqlitex.ExecOptions{Args: args, ResultFunc: func(stmt *zs.Stmt) error {
					for i := range stmt.ColumnCount() {
						_ = stmt.ColumnText(i)
					}
					return nil
				}})
			}
			run(p)
			conn.Close()
		}
	})
	b.Run("postgres", func(b *testing.B) {
		for b.Loop() {
			server := pgtest.Start(b)
			p := &pageBench{b: b, name: "PostgreSQL", accounts: accounts, owned: owned, open: func() *store.Store {
				s, err := postgres.Open(b.Context(), postgres.Config{URL: server.URL("public"), Now: noon}, nil)
				if err != nil {
					b.Fatal(err)
				}
				return s
			}, server: server.ProcessorTime}
			p.prepare(files)
			conn, err := pgx.Connect(b.Context(), server.URL("public").Reveal())
			if err != nil {
				b.Fatal(err)
			}
			p.floor = func(sql string, args ...any) error {
				rows, err := conn.Query(context.Background(), sql, args...)
				if err != nil {
					return err
				}
				for rows.Next() {
				}
				return rows.Err()
			}
			run(p)
			conn.Close(context.Background())
			server.Remove()
		}
	})
}

// BenchmarkPages measures every page of a large tenant on both databases, right after the start of
// the console. It prints a table.
func BenchmarkPages(b *testing.B) {
	accounts := *benchGrants / 4
	files := []string{largeTenant(b, noon.Add(-2*time.Hour), accounts, 0), largeTenant(b, noon.Add(-time.Hour), accounts, min(1000, accounts))}
	var pages []benchPage
	results := map[string][][3]time.Duration{}
	onEachDatabase(b, accounts, 3000, files, func(p *pageBench) {
		pages = p.pages()
		results[p.name] = p.measure(pages)
	})
	fmt.Printf("\n%d grants of %d accounts; %d requests of each page, in milliseconds\n\n", *benchGrants, accounts, *benchRounds)
	printPages(pages, results)
}

// printPages prints the table of the pages of both databases.
func printPages(pages []benchPage, results map[string][][3]time.Duration) {
	fmt.Println("| page | SQLite, 50 % | 95 % | floor, 95 % | PostgreSQL, 50 % | 95 % | floor, 95 % |\n|---|--:|--:|--:|--:|--:|--:|")
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	for i, page := range pages {
		fmt.Printf("| %s |", page.name)
		for _, database := range []string{"SQLite", "PostgreSQL"} {
			if rows := results[database]; i < len(rows) {
				fmt.Printf(" %s | %s | %s |", ms(rows[i][0]), ms(rows[i][1]), ms(rows[i][2]))
			}
		}
		fmt.Println()
	}
}
