package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/govern"
	"baton/console/installation"
	"baton/console/login"
	"baton/console/server"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/console/web"
	"baton/internal/english"
	"baton/internal/output"
)

// Sandbox is a local application that the demo connects.
type Sandbox struct {
	Product string // of [Program.Products]
	App     string
	New     func() SandboxServer
}

// SandboxServer is an application of the demo.
type SandboxServer struct {
	Handler http.Handler
	// Settings returns the connector's settings for a handler that is served at origin.
	Settings func(origin string) map[string]string
	People   []DemoPerson // people with accounts
	Changes  []Change     // happen between syncs
	// AdminEntitlements are the ids of the administrator entitlements, as the connector reports
	// them.
	AdminEntitlements []string
}

// DemoPerson is a person in the demo.
type DemoPerson struct{ Name, Email string }

// Change is something that happens in an application.
type Change struct {
	Text string // "somebody completes a course"
	Do   func()
}

func (r *run) demoCommand() *cobra.Command {
	c := r.command(spec{use: "demo", short: "Try the console with made-up applications and people",
		settings: []string{"listen", "env-file", "once"},
		long: `Starts two made-up applications, connects them, and lets a few things happen in them. Everything is in a
temporary folder, which is removed at the end, and so is the env file. Whoever reaches the printed address signs in as one of five
people with one click, so it listens on loopback addresses only. It serves until Ctrl-C or SIGTERM; with --once
it ends as soon as everything is there, with an error if that fails.`,
		example: "  baton-console demo\n  baton-console demo --env-file demo.env\n  baton-console demo --once"},
		r.demo)
	for name, usage := range map[string]string{
		"listen":   "Loopback address to listen on, host:port (a free port of 127.0.0.1)",
		"env-file": "File to write the address, and the logins and credentials of the five people to",
	} {
		c.Flags().Lookup(name).Usage = usage + " [" + names.Variable(name) + "]"
	}
	return c
}

// demoRole is a person as whom the demo can be viewed.
type demoRole struct {
	variable string // prefix in the env file
	roles    []console.ConsoleRole
	text     string
	person   DemoPerson
	password string
	code     baton.Secret
}

func (r *run) demo(ctx context.Context, _ []string) (err error) {
	began := r.now()
	host, _, err := net.SplitHostPort(r.Values.String("listen"))
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return baton.Errorf(baton.Invalid, "--listen: the demo listens on loopback addresses only").WithFix("Write it as 127.0.0.1:8443.")
	}
	dir, err := os.MkdirTemp("", "baton-console-demo-")
	if err != nil {
		return baton.Errorf(baton.Storage, "demo: %w", err)
	}
	defer os.RemoveAll(dir)
	d := &demo{run: r, dir: dir, began: began}
	defer d.close()
	forgetEnv := func() { // what it names ends with the demo; one that was killed has left its own
		file := r.Values.String("env-file")
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			os.Remove(file)
		}
	}
	forgetEnv()
	defer forgetEnv()
	if err := d.start(); err != nil {
		return err
	}
	if err := d.bootstrap(); err != nil {
		return err
	}
	if !r.Has("log-level") {
		r.log = slog.New(output.NewHandler(r.json, output.NewRedactor(r.stderr, r.Secrets), slog.LevelError))
	}
	// Any port will do unless one was requested.
	listen := r.Values.String("listen")
	if !r.Has("listen") {
		listen = "127.0.0.1:0"
	}
	var history sync.WaitGroup
	defer history.Wait()
	interrupted := ctx
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var incomplete error // with --once
	err = server.Run(ctx, server.Config{
		Installation: installation.Config{Data: filepath.Join(dir, "data"), Now: r.now},
		Listen:       listen, Bootstrap: filepath.Join(dir, "console.yaml"), EnvFile: r.Values.String("env-file"), Version: r.buildVersion(),
		Products: r.Products, Networks: govern.Networks{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		MinInterval: time.Second, Poll: 500 * time.Millisecond, OverdueAfter: 10 * time.Second, Now: r.now, Log: r.log,
		Variables: d.variables(), Clients: d.clients(), Demo: d.choices(),
		Ready: func(address string, _ baton.Secret) {
			// Over plain HTTP, which the same port answers: browsers warn about the demo's own certificate.
			d.page = strings.Replace(address, "https://", "http://", 1) + "/demo"
			fmt.Fprintf(r.stdout, "Open %s and choose who you want to be.\n", d.page)
			fmt.Fprintf(r.stdout, "console: %s\n", address) // for programs
			history.Go(func() {
				err := d.history(ctx)
				switch {
				case r.Values.Bool("once"):
					incomplete = err
					stop()
				case err != nil && ctx.Err() == nil:
					r.log.Error("the history of the demo is not complete", "error", err)
				}
			})
		},
	})
	history.Wait()
	if interrupted.Err() != nil && !r.Values.Bool("once") && errors.Is(err, context.Canceled) {
		err = nil // before it served: to end it is no failure
	}
	return errors.Join(err, incomplete)
}

// demo is a running demo.
type demo struct {
	run     *run
	dir     string
	servers []SandboxServer
	origins []string
	http    []*http.Server
	roles   []*demoRole
	people  []DemoPerson
	leaver  DemoPerson // who leaves the company
	page    string     // address to choose a person at
	began   time.Time
}

// start serves the applications.
func (d *demo) start() error {
	for _, s := range d.run.Sandboxes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return baton.Errorf(baton.Unavailable, "demo: %w", err)
		}
		app := s.New()
		h := &http.Server{Handler: app.Handler, ReadHeaderTimeout: 10 * time.Second}
		go h.Serve(l)
		d.servers, d.origins, d.http = append(d.servers, app), append(d.origins, "http://"+l.Addr().String()), append(d.http, h)
		for _, p := range app.People {
			if !slices.ContainsFunc(d.people, func(q DemoPerson) bool { return q.Email == p.Email }) {
				d.people = append(d.people, p)
			}
		}
	}
	return nil
}

func (d *demo) close() {
	for _, h := range d.http {
		h.Close()
	}
}

// bootstrap writes the bootstrap file: the people, the applications, and the connectors, which are
// hosted.
func (d *demo) bootstrap() error {
	d.roles = []*demoRole{
		{variable: "ADMIN", roles: []console.ConsoleRole{console.SuperAdministrator}, text: "sets up everything"},
		{variable: "OWNER", text: "owns both applications"},
		{variable: "APPROVER", roles: []console.ConsoleRole{console.SecurityOfficer}, text: "watches over access"},
		{variable: "MEMBER", text: "has access, and sees only their own"},
		{variable: "AUDITOR", roles: []console.ConsoleRole{console.Auditor}, text: "sees everything and changes nothing"},
	}
	domain := "demo.example" // the company's domain, in which accounts can be created
	if len(d.people) > 0 {
		_, domain, _ = strings.Cut(d.people[0].Email, "@")
	}
	var spare []DemoPerson
	for _, name := range []string{"Rosa Root", "Olga Owner", "Paul Approver", "Mia Member", "Alex Auditor"} {
		spare = append(spare, DemoPerson{name, strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@" + domain})
	}
	file := map[string][]map[string]any{}
	add := func(kind string, fields map[string]any) { file[kind] = append(file[kind], fields) }
	taken := 0
	for i, role := range d.roles {
		role.person = spare[i]
		if (role.variable == "OWNER" || role.variable == "MEMBER") && taken < len(d.people) {
			role.person = d.people[taken] // somebody with accounts
			taken++
		}
		role.password, role.code = rand.Text(), login.NewCodeSecret()
		name := strings.ToLower(role.variable) + ".password"
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(role.password), 0o600); err != nil {
			return baton.Errorf(baton.Storage, "demo: %w", err)
		}
		add("people", map[string]any{"email": role.person.Email, "name": role.person.Name, "roles": role.roles, "password_file": name, "totp_secret": role.code.Reveal()})
	}
	// The last of the others is not a known person, so that some account has no owner. One of the
	// known people leaves in the end.
	for i := taken; i < len(d.people)-1; i++ {
		add("people", map[string]any{"email": d.people[i].Email, "name": d.people[i].Name, "manager": d.roles[1].person.Email})
		if i == len(d.people)/2 {
			d.leaver = d.people[i]
		}
	}
	owner := []string{d.roles[1].person.Email}
	for i, s := range d.run.Sandboxes {
		add("apps", map[string]any{"name": s.App, "owners": owner, "minimum_admins": console.ProposedMinimumAdmins, "admin_entitlements": d.servers[i].AdminEntitlements})
		add("connectors", map[string]any{"name": s.App, "app": s.App, "product": s.Product, "hosted": true, "owners": owner, "interval": "1m", "settings": d.servers[i].Settings(d.origins[i])})
	}
	b, err := json.Marshal(file) // JSON is YAML
	if err == nil {
		err = os.WriteFile(filepath.Join(d.dir, "console.yaml"), b, 0o600)
	}
	if err != nil {
		return baton.Errorf(baton.Storage, "demo: %w", err)
	}
	return nil
}

// variables returns the lines of the env file about the people and the applications.
func (d *demo) variables() (v []string) {
	for _, role := range d.roles {
		v = append(v, role.variable+"_LOGIN", role.person.Email, role.variable+"_PASSWORD", role.password, role.variable+"_TOTP_SECRET", role.code.Reveal())
	}
	for i, s := range d.run.Sandboxes {
		values := d.servers[i].Settings(d.origins[i])
		for _, p := range d.run.Products {
			if p.Name != s.Product {
				continue
			}
			for _, setting := range p.Settings {
				if value, ok := values[setting.Name]; ok {
					v = append(v, config.Variable(s.Product+"_"+setting.Name), value)
				}
			}
		}
	}
	return v
}

// clients returns the credentials of the people. Only those of approvers have the scope to decide.
func (d *demo) clients() (all []server.ClientVariables) {
	for _, role := range d.roles {
		scopes := []console.Scope{console.ScopeRead, console.ScopeAsk}
		switch role.variable {
		case "ADMIN":
			scopes = append(scopes, console.ScopeConfigure)
		case "OWNER", "APPROVER":
			scopes = append(scopes, console.ScopeConfigure, console.ScopeDecide)
		}
		all = append(all, server.ClientVariables{Prefix: role.variable, Email: role.person.Email, Scopes: scopes})
	}
	return all
}

func (d *demo) choices() (all []web.DemoPerson) {
	for _, role := range d.roles {
		all = append(all, web.DemoPerson{Email: role.person.Email, Text: role.text})
	}
	return all
}

// history makes changes in the applications. Each is followed by a sync, so that the history has
// differences and dates.
func (d *demo) history(ctx context.Context) error {
	in, err := installation.Open(ctx, installation.Config{Data: filepath.Join(d.dir, "data"), Now: d.run.now})
	if err != nil {
		return err
	}
	defer in.Close()
	update := func(fn func(*store.Tx) error) error {
		return in.Store.Update(ctx, console.By{At: d.run.now(), Actor: console.Console}, fn)
	}
	if err := update(func(tx *store.Tx) error { return govern.SetDomains(tx, d.domains()) }); err != nil {
		return err
	}
	rounds := 0
	for i, s := range d.run.Sandboxes {
		if err := d.synced(ctx, in.Store, s.App, 1); err != nil {
			return err
		}
		fmt.Fprintf(d.run.stdout, "%s is connected, %.1f s after the start.\n", s.App, d.run.now().Sub(d.began).Seconds())
		rounds = max(rounds, len(d.servers[i].Changes))
	}
	for n := range rounds {
		for i, s := range d.run.Sandboxes {
			if n >= len(d.servers[i].Changes) {
				continue
			}
			change := d.servers[i].Changes[n]
			change.Do()
			fmt.Fprintf(d.run.stdout, "%s: %s.\n", s.App, change.Text)
			err := update(func(tx *store.Tx) error {
				c, err := tx.ConnectorByName(s.App)
				if err != nil {
					return err
				}
				return tx.ScheduleSync(c, d.run.now())
			})
			if err != nil {
				return err
			}
		}
		for i, s := range d.run.Sandboxes {
			if n < len(d.servers[i].Changes) {
				if err := d.synced(ctx, in.Store, s.App, n+2); err != nil {
					return err
				}
			}
		}
	}
	if d.leaver.Email != "" {
		fmt.Fprintf(d.run.stdout, "%s leaves the company. The accounts in the applications stay.\n", d.leaver.Name)
		err := update(func(tx *store.Tx) error {
			p, err := tx.PersonByEmail(d.leaver.Email)
			if err != nil {
				return err
			}
			p.Status = console.PersonGone
			return tx.ChangePerson(p)
		})
		if err != nil {
			return err
		}
	}
	if err := d.summary(ctx, in.Store); err != nil {
		return err
	}
	if d.run.Values.Bool("once") {
		fmt.Fprintln(d.run.stdout, "Everything is there. The demo ends and removes its data.")
	} else {
		fmt.Fprintf(d.run.stdout, "Everything is there. Open %s; Ctrl-C ends the demo and removes its data.\n", d.page)
	}
	return nil
}

// summary waits until the connectors are Connected, and prints what the console knows of each
// application.
func (d *demo) summary(ctx context.Context, s *store.Store) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for _, sandbox := range d.run.Sandboxes {
		for {
			state, text, err := d.state(ctx, s, sandbox.App)
			if err != nil {
				return err
			}
			if state == console.Connected {
				fmt.Fprintln(d.run.stdout, text)
				break
			}
			if state.Problem() {
				return baton.Errorf(baton.Unavailable, "%s", text)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-ticker.C:
			}
		}
	}
	return nil
}

// state returns the state of a connector, and a line about it and its application.
func (d *demo) state(ctx context.Context, s *store.Store, name string) (state console.ConnectionState, text string, err error) {
	err = s.View(ctx, func(tx *store.Tx) error {
		c, err := tx.ConnectorByName(name)
		if err != nil {
			return err
		}
		connection, err := rpcstore.ConnectionOf(tx, c, d.run.now())
		if err != nil {
			return err
		}
		syncs, err := tx.Syncs(c.ID, store.SyncBefore{}, store.PageSize)
		if err != nil {
			return err
		}
		var sentence string
		state, sentence = connection.State(d.run.now())
		if state.Problem() || connection.Applied == nil {
			text = fmt.Sprintf("%s: %s. %s", name, state, sentence)
			return nil
		}
		n, err := tx.CountsAt(c.Stream, connection.Applied.Number)
		if err != nil {
			return err
		}
		text = fmt.Sprintf("%s: %s; %s, %s, %s, %s.", name, state, english.Count(len(syncs), "sync"), english.Count(int(n.Accounts), "account"),
			english.Count(int(n.Entitlements), "entitlement"), english.Count(int(n.Facts), "grant"))
		return nil
	})
	return state, text, err
}

// domains returns the e-mail domains of the people in the demo.
func (d *demo) domains() (all []string) {
	for _, p := range d.people {
		if _, domain, ok := strings.Cut(p.Email, "@"); ok && !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}

// synced waits for a number of applied syncs of a connector.
func (d *demo) synced(ctx context.Context, s *store.Store, connector string, n int) error {
	woken, done := s.Watch(store.EventTopic)
	defer done()
	ticker := time.NewTicker(100 * time.Millisecond) // polled, because the console is another user of the database
	defer ticker.Stop()
	for {
		applied := 0
		err := s.View(ctx, func(tx *store.Tx) error {
			c, err := tx.ConnectorByName(connector)
			if err != nil {
				return err
			}
			syncs, err := tx.Syncs(c.ID, store.SyncBefore{}, store.PageSize)
			for _, sync := range syncs {
				switch sync.State {
				case console.SyncApplied:
					applied++
				case console.SyncHeld, console.SyncRefused:
					return errors.New("a sync of " + connector + " is " + string(sync.State))
				}
			}
			return err
		})
		if err != nil || applied >= n {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-woken:
		case <-ticker.C:
		}
	}
}
