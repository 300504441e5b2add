package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/installation"
	"baton/console/store"
	"baton/internal/english"
)

// maxPeopleFile limits a file of people, in bytes.
const maxPeopleFile = 32 << 20

func (r *run) peopleCommand() *cobra.Command {
	return r.group("people", "Import people, and list those who were erased",
		r.command(spec{use: "import FILE", short: "Show what a CSV file of people changes; with --apply, change it", args: 1, settings: append([]string{"apply"}, asked...),
			long: `The file is CSV in UTF-8 with a header: email,name,manager,department,status. Only email is required; it may hold several
addresses, separated by blanks. A person is found by any of them, or added. What is empty says nothing. One line is
printed for each change, and one for each line that is refused: those change nothing. Without --apply nothing changes.`}, r.importPeople),
		r.command(spec{use: "erased", short: "Print whose personal data was erased, without any of it", settings: storeSettings,
			long: "One line of JSON for each person. Keep it apart from backups: one from before an erasure brings the person back, and\nrestore --erased lists who must be erased again."}, r.listErased))
}

func (r *run) listErased(ctx context.Context, _ []string) error {
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		var all []console.Erasure
		err := in.Store.View(ctx, func(tx *store.Tx) (err error) {
			all, err = tx.Erasures()
			return err
		})
		for _, e := range all {
			if err != nil {
				return err
			}
			e.Why = "" // of people; the console keeps it
			text, failed := json.Marshal(e)
			if err = failed; err == nil {
				err = r.line("%s", text)
			}
		}
		return err
	})
}

// readErased reads the list that people erased printed; nil without one.
func (r *run) readErased() (all []console.Erasure, err error) {
	path := r.Values.String("erased")
	if path == "" {
		return nil, nil
	}
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	for {
		var e console.Erasure
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil || e.Person == "" {
			return nil, baton.Errorf(baton.Invalid, "%s is no list of erased persons", path).WithFix("Name a file that baton-console people erased wrote.")
		}
		all = append(all, e)
	}
}

func (r *run) importPeople(ctx context.Context, args []string) error {
	info, err := os.Stat(args[0])
	if err == nil && info.Size() > maxPeopleFile {
		return baton.Errorf(baton.Invalid, "%s is larger than %d MB", args[0], maxPeopleFile>>20)
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return baton.Errorf(baton.Invalid, "read %s: %w", args[0], err)
	}
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		var by console.ID
		var plan directory.Plan
		err := in.Store.View(ctx, func(tx *store.Tx) (err error) {
			if by, err = r.administrator(tx); err != nil {
				return err
			}
			plan, err = directory.MakePlan(tx, data)
			return err
		})
		if err != nil {
			return err
		}
		for _, x := range plan.Refused {
			if err := r.line("line %d refused: %s", x.Line, x.Why); err != nil {
				return err
			}
		}
		for _, c := range plan.Changes {
			verb := "change"
			if c.New() {
				verb = "add"
			}
			if err := r.line("line %d %s %s: %s", c.Line, verb, c.After.Name, changed(c)); err != nil {
				return err
			}
		}
		done := "nothing was changed; --apply does it"
		if r.Values.Bool("apply") {
			done = "done"
			err = plan.Apply(func(fn func(*store.Tx) error) error {
				return in.Store.Update(ctx, console.By{At: r.now(), Actor: console.ByPerson(by)}, func(tx *store.Tx) error {
					if _, err := r.administrator(tx); err != nil { // as long as it takes
						return err
					}
					return fn(tx)
				})
			})
			if err != nil {
				return err
			}
		}
		return r.line("%s, %d as they are, %s refused: %s", english.Count(len(plan.Changes), "change"), plan.Unchanged, english.Count(len(plan.Refused), "line"), done)
	})
}

// changed describes what a line changes.
func changed(c directory.Change) string {
	var parts []string
	for _, f := range c.Fields {
		switch f {
		case "email":
			parts = append(parts, "email "+strings.Join(c.After.Emails, " "))
		case "manager":
			parts = append(parts, "manager "+c.Manager)
		case "department":
			parts = append(parts, "department "+c.After.Department)
		case "status":
			parts = append(parts, fmt.Sprintf("status %s", c.After.Status))
		case "name":
			if !c.New() {
				parts = append(parts, "name, before "+c.Person.Name)
			}
		}
	}
	return strings.Join(parts, "; ")
}
