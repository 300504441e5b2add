package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton"
	"baton/console"
	"baton/console/ingest"
	"baton/console/installation"
	"baton/console/store"
	"baton/internal/output"
)

// asked are the settings of commands that act for a person.
var asked = append([]string{"as"}, storeSettings...)

func (r *run) syncCommand() *cobra.Command {
	return r.group("sync", "List syncs; confirm or discard a held one",
		r.command(spec{use: "list", short: "List the newest syncs of every connector", settings: append([]string{"connector"}, storeSettings...),
			long: "Prints one line for each sync, the newest first: id, connector, kind, state, when it began, accounts, facts, what it\nopened and closed, and why it is held or was not applied. Fields are separated by tabs."}, r.syncList),
		r.command(spec{use: "now", short: "Let a connector sync as soon as it asks for work", settings: append([]string{"connector"}, asked...)}, r.syncNow),
		r.command(spec{use: "confirm SYNC", short: "Confirm a held sync: it is applied as it is", args: 1, settings: append([]string{"reason"}, asked...),
			long: "Records who confirmed the sync, and why. A file that a person uploaded beside a live connector needs a second\nperson: not the one who uploaded it."},
			func(ctx context.Context, args []string) error { return r.decideSync(ctx, console.ID(args[0]), true) }),
		r.command(spec{use: "discard SYNC", short: "Discard a held sync: it is not applied", args: 1, settings: append([]string{"reason"}, asked...)},
			func(ctx context.Context, args []string) error { return r.decideSync(ctx, console.ID(args[0]), false) }),
	)
}

func (r *run) uploadCommand() *cobra.Command {
	return r.command(spec{use: "upload FILE", short: "Hand in a sync file by hand, for a connector that cannot reach the console", args: 1,
		settings: append([]string{"connector"}, asked...),
		long: `Stores a sync file (sync.c1z) as a sync of a connector. It is marked as uploaded wherever it shows, and it never
proves that a change was done. Beside a connector that syncs by itself, it is held until a second person confirms it.
The console that serves applies it; without one, it is applied when one starts.`}, r.upload)
}

func (r *run) importCommand() *cobra.Command {
	return r.command(spec{use: "import FOLDER", short: "Make the history of a connector from a folder of old sync files", args: 1,
		settings: append([]string{"connector"}, asked...),
		long: `Applies every sync file of a folder, oldest first, as history of a connector, before the connector's first sync of
its own. Files that are no full sync, or cannot be read, are told and left out. No console may serve meanwhile.`}, r.importFolder)
}

// asPerson returns the person in --as, and the e-mail address there.
func (r *run) asPerson(t *store.Tx) (p console.Person, email string, err error) {
	if email = r.Values.String("as"); email == "" {
		return p, "", baton.Errorf(baton.Invalid, "--as is missing").WithFix("Name yourself with --as and your e-mail address.")
	}
	p, err = t.PersonByEmail(email)
	if baton.KindOf(err) == baton.NotFound {
		err = baton.Errorf(baton.NotFound, "--as: nobody has the address %q", email).WithFix("Name a person of this console.")
	}
	return p, email, err
}

// person returns the ID of the person in --as, who must have a right for the connector.
func (r *run) person(t *store.Tx, c console.Connector, right console.Right) (console.ID, error) {
	p, email, err := r.asPerson(t)
	if err != nil {
		return "", err
	}
	id := p.Canonical()
	if p.ID != id {
		if p, err = t.Person(id); err != nil {
			return "", err
		}
	}
	app, err := t.App(c.App)
	if err != nil {
		return "", err
	}
	if p.Status != console.PersonActive {
		return "", baton.Errorf(baton.PermissionDenied, "%s is %s", email, p.Status).WithFix("Name an active person with --as.")
	}
	if err := right.Check(p, console.Object{App: &app, Connector: &c}); err != nil {
		return "", baton.Errorf(baton.PermissionDenied, "%s may not %s", email, right.Do).WithFix("%s", baton.FixOf(err))
	}
	return id, nil
}

// connector returns the connector in --connector.
func (r *run) connector(t *store.Tx) (console.Connector, error) {
	name := r.Values.String("connector")
	if name != "" {
		c, err := t.ConnectorByName(name)
		if baton.KindOf(err) == baton.NotFound {
			return c, baton.Errorf(baton.NotFound, "there is no connector %q", name).WithFix("%s", knownConnectors(t))
		}
		return c, err
	}
	return console.Connector{}, baton.Errorf(baton.Invalid, "it is not said for which connector").WithFix("Name one with --connector. %s", knownConnectors(t))
}

func knownConnectors(t *store.Tx) string {
	all, err := t.Connectors("")
	if err != nil || len(all) == 0 {
		return "There is none yet; a bootstrap file adds one."
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return "There is " + strings.Join(names, ", ") + "."
}

// update runs a command about a connector for the person in --as.
func (r *run) update(ctx context.Context, in *installation.Installation, right console.Right, find func(*store.Tx) (console.Connector, error), fn func(t *store.Tx, c console.Connector) error) error {
	var by console.By
	err := in.Store.View(ctx, func(t *store.Tx) error {
		c, err := find(t)
		if err != nil {
			return err
		}
		id, err := r.person(t, c, right)
		by = console.By{At: r.now(), Actor: console.ByPerson(id)}
		return err
	})
	if err != nil {
		return err
	}
	return in.Store.Update(ctx, by, func(t *store.Tx) error {
		c, err := find(t)
		if err != nil {
			return err
		}
		return fn(t, c)
	})
}

func (r *run) syncList(ctx context.Context, _ []string) error {
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		return in.Store.View(ctx, func(t *store.Tx) error {
			connectors, err := t.Connectors("")
			if r.Values.String("connector") != "" {
				var one console.Connector
				one, err = r.connector(t)
				connectors = []console.Connector{one}
			}
			if err != nil {
				return err
			}
			for _, c := range connectors {
				syncs, err := t.Syncs(c.ID, store.SyncBefore{}, 20)
				if err != nil {
					return err
				}
				for _, s := range syncs {
					if err := r.syncLine(c, s); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

func (r *run) syncLine(c console.Connector, s console.Sync) error {
	why := s.Why
	for _, h := range s.Holds {
		if s.State == console.SyncHeld {
			why = strings.TrimSpace(why + " " + h.Detail)
		}
	}
	fields := []string{string(s.ID), c.Name, string(s.Kind), string(s.State), s.Began.UTC().Format(time.RFC3339),
		fmt.Sprint(s.Counts.Accounts), fmt.Sprint(s.Counts.Facts), fmt.Sprintf("+%d", s.Counts.Opened), fmt.Sprintf("-%d", s.Counts.Closed), why}
	for i := range fields {
		fields[i] = output.Clean(fields[i])
	}
	_, err := fmt.Fprintln(r.stdout, strings.Join(fields, "\t"))
	return toStdout(err)
}

func (r *run) syncNow(ctx context.Context, _ []string) error {
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		return r.update(ctx, in, console.ConfigureConnectors, r.connector, func(t *store.Tx, c console.Connector) error { return t.ScheduleSync(c, r.now()) })
	})
}

// decideSync confirms or discards a held sync.
func (r *run) decideSync(ctx context.Context, id console.ID, confirm bool) error {
	why := r.Values.String("reason")
	if why == "" {
		return baton.Errorf(baton.Invalid, "it is not said why").WithFix("Say it with --reason.")
	}
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		return r.update(ctx, in, console.JudgeHeldSyncs, func(t *store.Tx) (console.Connector, error) {
			s, err := t.Sync(id)
			if baton.KindOf(err) == baton.NotFound {
				return console.Connector{}, baton.Errorf(baton.NotFound, "there is no sync %q", id).WithFix("baton-console sync list shows them.")
			}
			if err != nil {
				return console.Connector{}, err
			}
			return t.Connector(s.Connector)
		}, func(t *store.Tx, _ console.Connector) error {
			if confirm {
				if err := t.ConfirmSync(id, why); err != nil {
					return err
				}
				return t.SetDue(console.DueIngest, string(id), r.now(), nil)
			}
			s, err := t.Sync(id)
			if err == nil && s.State != console.SyncHeld {
				err = baton.Errorf(baton.Refused, "the sync is %s and not held", s.State)
			}
			if err != nil {
				return err
			}
			return t.EndSync(id, console.SyncDiscarded, why)
		})
	})
}

// open opens a file that a person named.
func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	switch {
	case os.IsNotExist(err):
		return nil, baton.Errorf(baton.NotFound, "%s does not exist", path).WithFix("Check the path; a relative one begins in the folder in which the command runs.")
	case err != nil:
		return nil, baton.Errorf(baton.Storage, "%w", err)
	}
	return f, nil
}

func (r *run) upload(ctx context.Context, args []string) error {
	f, err := open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		var who console.ID
		var c console.Connector
		err := r.update(ctx, in, console.ConfigureConnectors, r.connector, func(t *store.Tx, found console.Connector) error {
			c, who = found, t.By().Actor.Person()
			return nil
		})
		if err != nil {
			return err
		}
		return withScratch(func(dir string) error {
			ingester := &ingest.Ingester{Store: in.Store, Now: r.now, Scratch: dir}
			id, err := ingester.Receive(ctx, console.ByPerson(who), ingest.Origin{Connector: c.ID, Kind: console.SyncUpload}, f)
			if err != nil {
				return err
			}
			return in.Store.Update(ctx, console.By{At: r.now(), Actor: console.ByPerson(who)}, func(t *store.Tx) error {
				s, err := t.Sync(id)
				if err != nil {
					return err
				}
				if s.State == console.SyncRefused {
					return baton.Errorf(baton.Corrupt, "%s is refused: %s", args[0], s.Why).WithFix("Upload another file.")
				}
				if err := t.SetDue(console.DueIngest, string(id), r.now(), nil); err != nil {
					return err
				}
				return r.line("%s", id)
			})
		})
	})
}
