package directory

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/internal/english"
)

// The columns of a file of people. Only email is required.
const (
	emailColumn      = "email" // several addresses are separated by blanks or semicolons; the primary one first
	nameColumn       = "name"
	managerColumn    = "manager" // an e-mail address
	departmentColumn = "department"
	statusColumn     = "status" // active or disabled
)

var columns = []string{emailColumn, nameColumn, managerColumn, departmentColumn, statusColumn}

// Row is a line of a file of people. Empty fields change nothing.
type Row struct {
	Line       int
	Emails     []string
	Name       string
	Manager    string
	Department string
	Status     console.PersonStatus
}

// Refusal is a refused line with the reason.
type Refusal struct {
	Line int
	Why  string
}

// maxRows limits the lines of a file.
const maxRows = 100_000

// Read reads a file of people: CSV with a header, separated by commas, semicolons or tabs. The error
// is Invalid if the file as a whole cannot be read.
func Read(data []byte) (rows []Row, refused []Refusal, err error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return nil, nil, baton.Errorf(baton.Invalid, "the file is not in UTF-8").WithFix("Save it as CSV in UTF-8.")
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	first, _, _ := bytes.Cut(data, []byte("\n"))
	for _, comma := range []rune{';', '\t'} {
		if bytes.Count(first, []byte(string(comma))) > bytes.Count(first, []byte(string(r.Comma))) {
			r.Comma = comma
		}
	}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, baton.Errorf(baton.Invalid, "the file is empty").WithFix("Begin it with the line %s.", strings.Join(columns, ","))
	}
	if err != nil {
		return nil, nil, unreadable(err)
	}
	index := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(columns, name) {
			return nil, nil, baton.Errorf(baton.Invalid, "the file has a column %q, which is none of %s", name, english.And(columns))
		}
		if _, twice := index[name]; twice {
			return nil, nil, baton.Errorf(baton.Invalid, "the file has the column %s twice", name)
		}
		index[name] = i
	}
	if _, ok := index[emailColumn]; !ok {
		return nil, nil, baton.Errorf(baton.Invalid, "the file has no column email").WithFix("Begin it with the line %s.", strings.Join(columns, ","))
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, unreadable(err)
		}
		line, _ := r.FieldPos(0)
		if len(rows)+len(refused) == maxRows {
			return nil, nil, baton.Errorf(baton.Invalid, "the file has more than %d people", maxRows)
		}
		field := func(column string) string {
			if i, ok := index[column]; ok && i < len(record) {
				return strings.TrimSpace(record[i])
			}
			return ""
		}
		row := Row{Line: line, Name: field(nameColumn), Manager: console.NormalizeEmail(field(managerColumn)), Department: field(departmentColumn), Status: console.PersonStatus(strings.ToLower(field(statusColumn)))}
		for _, e := range strings.FieldsFunc(field(emailColumn), func(r rune) bool { return r == ';' || r == ' ' || r == ',' }) {
			if e = console.NormalizeEmail(e); !slices.Contains(row.Emails, e) {
				row.Emails = append(row.Emails, e)
			}
		}
		if why := row.wrong(len(record), len(header)); why != "" {
			refused = append(refused, Refusal{line, why})
			continue
		}
		rows = append(rows, row)
	}
	rows, twice := once(rows)
	refused = append(refused, twice...)
	slices.SortStableFunc(refused, func(a, b Refusal) int { return a.Line - b.Line })
	return rows, refused, nil
}

func unreadable(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return baton.Errorf(baton.Invalid, "line %d of the file cannot be read: %v", parse.Line, parse.Err)
	}
	return baton.Errorf(baton.Invalid, "the file cannot be read: %v", err)
}

// wrong returns the problem of a line; "" if there is none.
func (r Row) wrong(fields, columns int) string {
	if fields != columns {
		return fmt.Sprintf("It has %s, and the header %d.", english.Count(fields, "field"), columns)
	}
	if len(r.Emails) == 0 {
		return "It has no e-mail address."
	}
	for _, e := range r.Emails {
		if !ValidEmail(e) {
			return fmt.Sprintf("%q is no e-mail address.", e)
		}
	}
	switch {
	case r.Manager != "" && !ValidEmail(r.Manager):
		return fmt.Sprintf("The manager %q is no e-mail address.", r.Manager)
	case slices.Contains(r.Emails, r.Manager):
		return "Nobody is their own manager."
	case max(utf8.RuneCountInString(r.Name), utf8.RuneCountInString(r.Department)) > maxName:
		return fmt.Sprintf("A name has at most %d characters.", maxName)
	case strings.ContainsRune(r.Name+r.Department, 0):
		return "It contains the character NUL."
	case r.Status != "" && r.Status != console.PersonActive && r.Status != console.PersonDisabled:
		return fmt.Sprintf("The status %q is neither active nor disabled.", r.Status)
	}
	return ""
}

// once refuses all lines that share an address.
func once(rows []Row) (left []Row, refused []Refusal) {
	lines := map[string][]int{}
	for _, r := range rows {
		for _, e := range r.Emails {
			lines[e] = append(lines[e], r.Line)
		}
	}
	for _, r := range rows {
		why := ""
		for _, e := range r.Emails {
			if all := lines[e]; len(all) > 1 {
				other := all[0]
				if other == r.Line {
					other = all[1]
				}
				why = fmt.Sprintf("Line %d has the address %s, too.", other, e)
			}
		}
		if why != "" {
			refused = append(refused, Refusal{r.Line, why})
		} else {
			left = append(left, r)
		}
	}
	return left, refused
}

// Change is the effect of a line.
type Change struct {
	Line    int
	Person  console.Person // the current person; zero for a new one
	After   console.Person
	Manager string // e-mail address of the new manager; "" if unchanged
	Fields  []string
}

// New reports whether the line adds a person.
func (c Change) New() bool { return c.Person.ID == "" }

// Plan lists the changes that a file of people would make.
type Plan struct {
	Changes   []Change
	Unchanged int
	Refused   []Refusal
}

// Digest identifies the content of a plan.
func (p Plan) Digest() string {
	h := sha256.New()
	for _, c := range p.Changes {
		fmt.Fprintf(h, "%d %q %d %q %q %q %q %q\n", c.Line, c.Person.ID, c.Person.Version, c.After.Name, c.After.Emails, c.After.Department, c.After.Status, c.Manager)
	}
	for _, r := range p.Refused {
		fmt.Fprintf(h, "%d %q\n", r.Line, r.Why)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// MakePlan returns what a file would change now. It refuses lines whose addresses belong to several
// people, or whose manager is unknown.
func MakePlan(tx *store.Tx, data []byte) (Plan, error) {
	rows, refused, err := Read(data)
	if err != nil {
		return Plan{}, err
	}
	coming := map[string]bool{} // addresses of everybody in the file
	for _, r := range rows {
		for _, e := range r.Emails {
			coming[e] = true
		}
	}
	p := Plan{Refused: refused}
	var all []Change
	lines := map[console.ID][]int{} // lines by existing person
	for _, r := range rows {
		c, why, err := change(tx, r, coming)
		if err != nil {
			return p, err
		}
		if why != "" {
			p.Refused = append(p.Refused, Refusal{r.Line, why})
			continue
		}
		all = append(all, c)
		if !c.New() {
			lines[c.Person.ID] = append(lines[c.Person.ID], r.Line)
		}
	}
	for _, c := range all {
		switch same := lines[c.Person.ID]; {
		case len(same) > 1:
			p.Refused = append(p.Refused, Refusal{c.Line, fmt.Sprintf("Lines %d and %d are about one person, %s.", same[0], same[1], c.Person.Name)})
		case len(c.Fields) == 0:
			p.Unchanged++
		default:
			p.Changes = append(p.Changes, c)
		}
	}
	slices.SortStableFunc(p.Refused, func(a, b Refusal) int { return a.Line - b.Line })
	return p, nil
}

// change returns what a line changes, or why it is refused. coming are the addresses of people whom
// the file adds.
func change(tx *store.Tx, r Row, coming map[string]bool) (c Change, why string, err error) {
	c.Line = r.Line
	for _, e := range r.Emails {
		p, err := tx.PersonByEmail(e)
		if baton.KindOf(err) == baton.NotFound {
			continue
		}
		if err != nil {
			return c, "", err
		}
		if c.Person.ID != "" && c.Person.ID != p.ID {
			return c, fmt.Sprintf("Its addresses are those of several people, %s and %s.", c.Person.Name, p.Name), nil
		}
		c.Person = p
	}
	c.After = c.Person
	if c.New() {
		c.After = console.Person{Status: console.PersonActive}
		if r.Name == "" {
			return c, "It is somebody new, and has no name.", nil
		}
	}
	set := func(field string, value *string, to string) {
		if to != "" && *value != to {
			*value = to
			c.Fields = append(c.Fields, field)
		}
	}
	set(nameColumn, &c.After.Name, r.Name)
	set(departmentColumn, &c.After.Department, r.Department)
	if r.Status != "" && r.Status != c.After.Status {
		c.After.Status = r.Status
		c.Fields = append(c.Fields, statusColumn)
	}
	emails := slices.Clone(r.Emails)
	for _, e := range c.Person.Emails {
		if !slices.Contains(emails, e) {
			emails = append(emails, e)
		}
	}
	if !slices.Equal(emails, c.Person.Emails) {
		c.After.Emails = emails
		c.Fields = append(c.Fields, emailColumn)
	}
	if r.Manager != "" {
		m, err := tx.PersonByEmail(r.Manager)
		switch {
		case baton.KindOf(err) == baton.NotFound && !coming[r.Manager]:
			return c, fmt.Sprintf("Nobody has the address of the manager, %s.", r.Manager), nil
		case baton.KindOf(err) == baton.NotFound:
			c.Manager = r.Manager
		case err != nil:
			return c, "", err
		case m.Canonical() == c.Person.ID:
			return c, "Nobody is their own manager.", nil
		case m.Canonical() != c.Person.Manager:
			c.Manager = r.Manager
		}
		if c.Manager != "" {
			c.Fields = append(c.Fields, managerColumn)
		}
	}
	return c, "", nil
}

// Apply makes the changes of a plan in several transactions, which update runs. Managers are set
// last, when everybody exists. It can be repeated.
func (p Plan) Apply(update func(func(tx *store.Tx) error) error) error {
	for part := range slices.Chunk(p.Changes, batch) {
		err := update(func(tx *store.Tx) error {
			for _, c := range part {
				if c.New() {
					if _, err := tx.AddPerson(c.After); err != nil {
						return lineError(c.Line, err)
					}
				} else if !same(c.Person, c.After) {
					if err := tx.ChangePerson(c.After); err != nil {
						return lineError(c.Line, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for part := range slices.Chunk(p.Changes, batch) {
		err := update(func(tx *store.Tx) error {
			for _, c := range part {
				if c.Manager == "" {
					continue
				}
				person, err := tx.PersonByEmail(c.After.Emails[0])
				if err != nil {
					return lineError(c.Line, err)
				}
				manager, err := tx.PersonByEmail(c.Manager)
				if err != nil {
					return lineError(c.Line, err)
				}
				if person.Manager == manager.Canonical() {
					continue
				}
				person.Manager = manager.Canonical()
				if err := tx.ChangePerson(person); err != nil {
					return lineError(c.Line, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func lineError(line int, err error) error {
	e := baton.Errorf(baton.KindOf(err), "line %d: %w", line, err)
	if fix := baton.FixOf(err); fix != "" {
		return e.WithFix("%s", fix)
	}
	return e
}
