package cli

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"baton"
	"baton/console"
	"baton/console/installation"
	"baton/console/store"
	"baton/internal/disk"
	"baton/internal/english"
	"baton/internal/output"
)

// group creates a command that only has subcommands.
func (r *run) group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use + " COMMAND", Short: short, DisableFlagsInUseLine: true, RunE: func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return r.noCommand(c, args)
		}
		return c.Help()
	}}
	c.AddCommand(commands...)
	return c
}

func (r *run) backupCommand() *cobra.Command {
	summary := func(name string, done store.Transferred) string {
		return fmt.Sprintf("%s written: %s, the last is event %d", name, english.Count(int(done.Rows), "row"), done.Head.Number)
	}
	return r.command(spec{use: "backup FILE", short: "Write everything but the keys into a file", args: 1, settings: storeSettings,
		long: "Writes one snapshot of the database, SQLite or PostgreSQL, into a new file, while the console serves. The keys are no part\nof it: keep a copy of the key file apart from backups. Sessions, tokens and invitations are left out.\nWith - as the file it goes to stdout, out of a container."},
		func(ctx context.Context, args []string) error {
			return r.withInstallation(ctx, func(in *installation.Installation) error {
				if args[0] != "-" {
					done, err := in.Backup(ctx, args[0])
					if err != nil {
						return err
					}
					return r.line("%s", summary(args[0], done))
				}
				scratch, remove, err := in.Scratch()
				if err != nil {
					return err
				}
				defer remove()
				path := filepath.Join(scratch, "backup")
				done, err := in.Backup(ctx, path)
				if err != nil {
					return err
				}
				f, err := open(path)
				if err != nil {
					return err
				}
				defer f.Close()
				if _, err := io.Copy(r.stdout, f); err != nil {
					return toStdout(err)
				}
				_, err = fmt.Fprintln(r.stderr, summary("backup", done))
				return err
			})
		})
}

func (r *run) restoreCommand() *cobra.Command {
	return r.command(spec{use: "restore FILE", short: "Make a console from a backup, with writes paused", args: 1, settings: append([]string{"erased"}, storeSettings...),
		long: `Makes a console in a new data folder, or in an empty database, from a backup. It begins a new epoch of the audit
chain, and writes, mail and webhooks are paused until baton-console resume: the original may still be running. Put
the key file of the original into the folder first, or name it with --keys; without it, secrets are lost and listed. With - as the file it
is read from stdin.`},
		func(ctx context.Context, args []string) error {
			backup, name := os.Stdin, "stdin"
			if args[0] != "-" {
				f, err := open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				backup, name = f, args[0]
			}
			erased, err := r.readErased()
			if err != nil {
				return err
			}
			done, err := installation.Restore(ctx, r.installation(), backup, name, erased)
			if err != nil {
				return err
			}
			for _, e := range done.Erase {
				if err := r.line("erase again: person %s, who was erased on %s", e.Person, e.At.UTC().Format("2 Jan 2006")); err != nil {
					return err
				}
			}
			for _, lost := range done.Lost {
				if err := r.line("enter again: %s of %s (sealed with key %s, which is not there)", lost.Name, lost.Owner, lost.Key); err != nil {
					return err
				}
			}
			return r.line("restored: %s, the last is event %d; writes, mail and webhooks are paused", english.Count(int(done.Rows), "row"), done.Head.Number)
		})
}

func (r *run) moveCommand() *cobra.Command {
	return r.command(spec{use: "move", short: "Move the console from SQLite into a PostgreSQL database", settings: storeSettings,
		long: "Copies the console of the data folder into the empty database of --database, in one transaction, and compares the counts\nof all tables and the heads of the audit chain. No console may serve meanwhile. Afterwards serve it with --database and the\nsame key file."},
		func(ctx context.Context, _ []string) error {
			if r.Values.Secret("database").IsZero() {
				return baton.Errorf(baton.Invalid, "it is not said where to").WithFix("Name the PostgreSQL database with --database-file.")
			}
			c := r.installation()
			done, err := installation.Move(ctx, c, c.Database)
			if err != nil {
				return err
			}
			return r.line("moved: %s in %s, the last is event %d", english.Count(int(done.Rows), "row"), english.Count(len(done.Tables), "table"), done.Head.Number)
		})
}

func (r *run) resumeCommand() *cobra.Command {
	return r.command(spec{use: "resume", short: "Resume writes, mail and webhooks of a restored or copied console", settings: append([]string{"reason"}, asked...),
		long: "Only when the original does not run any more: otherwise both would write."},
		func(ctx context.Context, _ []string) error {
			return r.withInstallation(ctx, func(in *installation.Installation) error {
				var who console.ID
				err := in.Store.View(ctx, func(t *store.Tx) (err error) {
					who, err = r.administrator(t)
					return err
				})
				if err != nil {
					return err
				}
				return in.Store.Update(ctx, console.By{At: r.now(), Actor: console.ByPerson(who)}, func(t *store.Tx) error {
					p, err := t.Pauses()
					if err != nil {
						return err
					}
					if !p.Any() {
						return baton.Errorf(baton.Refused, "nothing is paused").WithFix("There is nothing to do.")
					}
					return t.SetPauses(console.Pauses{Why: r.Values.String("reason")})
				})
			})
		})
}

func (r *run) keysCommand() *cobra.Command {
	rotate := func(add, reseal bool) func(context.Context, []string) error {
		return func(ctx context.Context, _ []string) error {
			return r.withInstallation(ctx, func(in *installation.Installation) error {
				if add {
					name, err := in.AddKey()
					if err != nil {
						return err
					}
					if err := r.line("key %s added", name); err != nil {
						return err
					}
				}
				if !reseal {
					return nil
				}
				n, err := in.Reseal(ctx)
				if err != nil {
					return err
				}
				return r.line("%s sealed with the new key", english.Count(n, "secret"))
			})
		}
	}
	return r.group("keys", "Change the keys that seal secrets",
		r.command(spec{use: "rotate", short: "Add a new key and seal every secret with it", settings: storeSettings,
			long: "Works while the console serves: it finds the new key by itself. Old keys stay in the file, for backups. Replicas that\nhave key files of their own: keys add, copy the file to each, keys reseal."}, rotate(true, true)),
		r.command(spec{use: "add", short: "Add a new key to the key file, and seal nothing yet", settings: storeSettings}, rotate(true, false)),
		r.command(spec{use: "reseal", short: "Seal every secret with the newest key", settings: storeSettings}, rotate(false, true)),
	)
}

func (r *run) auditCommand() *cobra.Command {
	return r.group("audit", "Print or verify the chain of events",
		r.command(spec{use: "key", short: "Print the fingerprint of the key that signs heads and evidence", settings: storeSettings,
			long: "Whoever verifies evidence needs it from outside of the evidence: give it to them on another way. The key is made at the\nfirst use."}, r.auditKey),
		r.command(spec{use: "head", short: "Print the head of the chain of events, to be kept elsewhere", settings: storeSettings,
			long:    "The head, kept where nobody who can write to the database can reach it, proves later that no event before it was\nchanged, removed or added.",
			example: "  baton-console audit head > head-$(date +%F).json"}, r.auditHead),
		r.command(spec{use: "verify", short: "Check every event against its hash and its place", settings: append([]string{"head"}, storeSettings...),
			long: "The exit code is 0 if the chain is sound, and 15 if an event was altered, removed or added; stderr names it. Without an\nexported head, somebody who can write to the database could have replaced the whole chain."}, r.auditVerify),
	)
}

func (r *run) auditHead(ctx context.Context, _ []string) error {
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		var head console.ChainHead
		err := in.Store.View(ctx, func(t *store.Tx) (err error) {
			head, err = t.ChainHead()
			return err
		})
		if err != nil {
			return err
		}
		text, err := json.Marshal(head)
		if err != nil {
			return baton.Errorf(baton.Internal, "encode the head: %w", err)
		}
		_, err = fmt.Fprintf(r.stdout, "%s\n", text)
		return toStdout(err)
	})
}

func (r *run) auditKey(ctx context.Context, _ []string) error {
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		var public []byte
		err := in.Store.View(ctx, func(t *store.Tx) (err error) {
			public, err = t.SigningPublicKey()
			return err
		})
		if err == nil && public == nil {
			err = in.Store.Update(ctx, console.By{At: r.now(), Actor: console.Console}, func(t *store.Tx) error {
				key, err := t.SigningKey()
				if err == nil {
					public = key.Public().(ed25519.PublicKey)
				}
				return err
			})
		}
		if err != nil {
			return err
		}
		return r.line("%s", console.Fingerprint(public))
	})
}

// readHead reads a head that audit head printed, or a signed one that left the console by itself.
func readHead(path string) (h console.ChainHead, err error) {
	var signed console.SignedHead
	f, err := open(path)
	if err != nil {
		return h, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err == nil {
		err = json.Unmarshal(text, &signed)
		h = signed.ChainHead
	}
	if err != nil || h.Number == 0 || h.Hash == (console.Hash{}) {
		return h, baton.Errorf(baton.Invalid, "%s is no head of a chain", path).WithFix("Name a file that baton-console audit head wrote.")
	}
	if len(signed.Signature) > 0 {
		err = signed.Verify()
	}
	return h, err
}

func (r *run) auditVerify(ctx context.Context, _ []string) error {
	var heads []console.ChainHead
	if path := r.Values.String("head"); path != "" {
		h, err := readHead(path)
		if err != nil {
			return err
		}
		heads = append(heads, h)
	}
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		report, err := in.Store.VerifyChain(ctx, heads...)
		if err != nil {
			return err
		}
		if len(report.Faults) == 0 {
			erased := ""
			if report.Erased > 0 {
				erased = fmt.Sprintf(", %s erased", english.Count(int(report.Erased), "payload"))
			}
			return r.line("%s, sound%s; the last is event %d of epoch %d", english.Count(int(report.Events), "event"), erased, report.Head.Number, report.Head.Epoch)
		}
		for _, f := range report.Faults {
			fmt.Fprintf(r.stderr, "event %d: %s: %s\n", f.Number, f.Kind, output.Clean(f.Detail))
		}
		return baton.Errorf(baton.Corrupt, "the chain of events was altered: event %d is the first", report.Faults[0].Number).
			WithFix("Find out who could write to the database. A backup from before shows the events as they were.")
	})
}

// administrator returns the super administrator in --as.
func (r *run) administrator(t *store.Tx) (console.ID, error) {
	p, email, err := r.asPerson(t)
	if err != nil {
		return "", err
	}
	if err := console.ManagePeople.Check(p, console.Object{}); err != nil || p.Status != console.PersonActive {
		return "", baton.Errorf(baton.PermissionDenied, "%s is no active super administrator", email).WithFix("Name one with --as.")
	}
	return p.Canonical(), nil
}

func (r *run) doctorCommand() *cobra.Command {
	return r.command(spec{use: "doctor", short: "Check the folder, the keys, the database, the chain and the connectors",
		settings: append([]string{"url", "tls-cert", "tls-key", "bootstrap", "env-file"}, storeSettings...),
		long:     "Prints one line for each thing looked at, with what to do about what is wrong. The exit code is 9 if a check failed."},
		func(ctx context.Context, _ []string) error {
			d := doctor{run: r}
			err := d.examine(ctx)
			if err == nil && d.failed > 0 {
				err = baton.Errorf(baton.Refused, "doctor: %s failed", english.Count(d.failed, "check")).WithFix("The lines above say what to do.")
			}
			return err
		})
}

// writable returns an error if a folder cannot be written to.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return disk.Errorf(err, filepath.Join(dir, "file"), "write to %s", dir)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
