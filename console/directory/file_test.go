package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/store"
)

func (w *world) plan(csv string) (p directory.Plan) {
	w.t.Helper()
	w.check(w.s.View(w.t.Context(), func(tx *store.Tx) (err error) {
		p, err = directory.MakePlan(tx, []byte(csv))
		return err
	}))
	return p
}

func (w *world) apply(p directory.Plan) {
	w.t.Helper()
	w.check(p.Apply(func(fn func(*store.Tx) error) error {
		return w.s.Update(w.t.Context(), w.by(), fn)
	}))
}

// TestFile imports people, then again, with refused lines.
func TestFile(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		for _, p := range []console.Person{{Name: "Ana", Emails: []string{"ana@example.com", "ana@old.example"}, Department: "R&D"}, {Name: "Ben", Emails: []string{"ben@example.com"}}} {
			if _, err := tx.AddPerson(p); err != nil {
				return err
			}
		}
		return nil
	})
	csv := "\xef\xbb\xbfEmail,Name,Manager,Department,Status\r\n" +
		"ana@new.example; ana@example.com,Ana B.,dora@example.com,,\r\n" + // 2: changed; the manager is in a later line
		"ben@example.com,Ben,,,disabled\r\n" + // 3
		"dora@example.com,\"Dora, \"\"the boss\"\"\",,Board,active\r\n" + // 4: new
		"\r\n" +
		"eve@example.com,,,,\r\n" + // 6: new without a name
		"ana@old.example ben@example.com,Both,,,\r\n" + // 7: twice, also in line 3
		"fay@example.com,Fay,nobody@example.com,,\r\n" + // 8: unknown manager
		"no address,Gil,,,\r\n" + // 9
		"hal@example.com,Hal,hal@example.com,,\r\n" + // 10: their own manager
		"ida@example.com,Ida,,,retired\r\n" + // 11
		",Jan,,,\r\n" + // 12
		"kim@example.com,Kim\r\n" // 13: wrong number of fields
	p := w.plan(csv)
	var lines []int
	for _, r := range p.Refused {
		lines = append(lines, r.Line)
	}
	if want := []int{3, 6, 7, 8, 9, 10, 11, 12, 13}; !slices.Equal(lines, want) {
		t.Errorf("refused %+v", p.Refused)
	}
	var changes []string
	for _, c := range p.Changes {
		changes = append(changes, fmt.Sprintf("%d %v %s", c.Line, c.New(), strings.Join(c.Fields, "+")))
	}
	if want := []string{"2 false name+email+manager", "4 true name+department+email"}; !slices.Equal(changes, want) {
		t.Errorf("changes %q, want %q", changes, want)
	}
	w.apply(p)
	ana, dora := w.person("ana@example.com"), w.person("dora@example.com")
	if ana.Name != "Ana B." || !slices.Equal(ana.Emails, []string{"ana@new.example", "ana@example.com", "ana@old.example"}) || ana.Department != "R&D" || ana.Manager != dora.ID {
		t.Errorf("Ana: %+v", ana)
	}
	if dora.Name != `Dora, "the boss"` || dora.Department != "Board" || w.person("ben@example.com").Status != console.PersonActive {
		t.Errorf("Dora: %+v", dora)
	}
	again := w.plan(csv)
	if len(again.Changes) != 0 || again.Unchanged != 2 || len(again.Refused) != len(p.Refused) {
		t.Errorf("again: %+v", again)
	}
	if p.Digest() == again.Digest() || again.Digest() != w.plan(csv).Digest() {
		t.Error("digests")
	}

	// Semicolons, as some spreadsheets write them, and a person in two lines.
	p = w.plan("status;email\ndisabled;ben@example.com\n")
	if len(p.Changes) != 1 || p.Changes[0].After.Status != console.PersonDisabled {
		t.Errorf("semicolons: %+v", p)
	}
	w.apply(p)
	if p = w.plan("email\tname\nana@new.example\tX\nana@old.example\tY\n"); len(p.Refused) != 2 || !strings.Contains(p.Refused[0].Why, "Lines 2 and 3 are about one person") {
		t.Errorf("one person twice: %+v", p)
	}
	w.update(func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{Name: "Hal", Emails: []string{"hal@example.com"}})
		return err
	})
	if p = w.plan("email\nhal@example.com ben@example.com\n"); len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Why, "several people") {
		t.Errorf("two people: %+v", p)
	}
}

func TestFileRefused(t *testing.T) {
	for name, csv := range map[string]string{
		"empty": "", "no header": "ana@example.com,Ana\n", "a column too many": "email,password\n", "a column twice": "email,Email\n", "no email": "name\nAna\n",
		"another encoding": "email,name\nana@example.com,J\xfcrgen\n", "a quote that does not end": "email,name\nana@example.com,\"Ana\n",
	} {
		if _, _, err := directory.Read([]byte(csv)); err == nil || baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows, refused, err := directory.Read([]byte("email,name\n=cmd@example.com,\"=1+1\"\na@example.com,a\x00b\n"))
	if err != nil || len(rows) != 1 || rows[0].Name != "=1+1" || len(refused) != 1 {
		t.Errorf("formulas and NUL: %+v, %+v, %v", rows, refused, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("email,name\na@b,A\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, _, err := directory.Read(data)
		if err != nil && baton.KindOf(err) != baton.Invalid {
			t.Errorf("%v", err)
		}
		seen := map[string]bool{}
		for _, r := range rows {
			for _, e := range r.Emails {
				if seen[e] || !directory.ValidEmail(e) {
					t.Errorf("address %q", e)
				}
				seen[e] = true
			}
		}
	})
}
