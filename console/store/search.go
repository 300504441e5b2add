package store

import (
	"bytes"
	"slices"
	"strings"

	"baton/console"
	"baton/console/store/internal/engine"
)

// furtherWords returns the words of a name except those at the start of its sort key, which finds
// them.
func furtherWords(name, id string) []string {
	if len(console.SortKey(name)) == 0 {
		name = id
	}
	key := string(console.SortKey(name))
	return slices.DeleteFunc(console.SearchWords(name), func(w string) bool { return strings.HasPrefix(key, w) })
}

// behind returns the smallest value greater than all values with a prefix. The prefix is UTF-8, so
// its last byte is not 0xff.
func behind(prefix []byte) []byte {
	next := slices.Clone(prefix)
	next[len(next)-1]++
	return next
}

// search matches names with words that begin with the given words, and logins and e-mail addresses
// that begin with the text.
type search struct {
	words []string
	whole []byte // see [loginKey]
}

func newSearch(text string) search {
	return search{console.SearchWords(text), loginKey(text)}
}

func (s search) empty() bool { return len(s.words) == 0 && len(s.whole) == 0 }

// longest returns the longest word, which is probably the most selective.
func (s search) longest() []byte {
	return []byte(slices.MaxFunc(s.words, func(a, b string) int { return len(a) - len(b) }))
}

// Named reports whether each word of a search begins a word of a name, or of several together.
func Named(text string, names ...string) bool {
	return newSearch(text).named(strings.Join(names, " "), "")
}

// named reports whether each word begins a word of a name.
func (s search) named(name, id string) bool {
	if len(s.words) == 0 {
		return false
	}
	if len(console.SortKey(name)) == 0 {
		name = id
	}
	have := console.SearchWords(name)
	for _, w := range s.words {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

// account reports whether an account matches.
func (s search) account(r Resource) bool {
	if s.named(r.Name, r.ID) {
		return true
	}
	if len(s.whole) == 0 || r.Account == nil {
		return false
	}
	for _, address := range append([]string{r.Account.Login}, r.Account.Emails...) {
		if bytes.HasPrefix(loginKey(address), s.whole) {
			return true
		}
	}
	return false
}

// person reports whether a person matches.
func (s search) person(p console.Person) bool {
	return s.named(p.Name, "") || len(s.whole) > 0 && slices.ContainsFunc(p.Emails, func(e string) bool { return bytes.HasPrefix(loginKey(e), s.whole) })
}

// setPersonWords indexes the words of a person's name.
func (t *Tx) setPersonWords(person console.ID, name string) error {
	if _, err := t.e.Exec("DELETE FROM person_word WHERE person = $1", person); err != nil {
		return err
	}
	for _, w := range console.SearchWords(name) {
		if err := t.insert("word", "INSERT INTO person_word (word, person) VALUES ($1, $2)", []byte(w), person); err != nil {
			return err
		}
	}
	return nil
}

// fewPersons limits the people that are examined for one search.
const fewPersons = 300

// SearchPersons returns up to n persons whose names have words that begin with the words of a text,
// or with an e-mail address that begins with it, and whether there may be more. selected filters
// them.
func (t *Tx) SearchPersons(text string, n int, selected func(console.Person) bool) (found []console.Person, more bool, err error) {
	s := newSearch(text)
	var ids []console.ID
	add := func(sql string, prefix []byte) error {
		some, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, sql, prefix, behind(prefix), fewPersons+1)
		if len(some) > fewPersons {
			some, more = some[:fewPersons], true
		}
		ids = append(ids, some...)
		return err
	}
	if len(s.words) > 0 {
		if err := add("SELECT DISTINCT person FROM person_word WHERE word >= $1 AND word < $2 LIMIT $3", s.longest()); err != nil {
			return nil, false, err
		}
	}
	if len(s.whole) > 0 {
		if err := add("SELECT person FROM person_email WHERE email >= $1 AND email < $2 LIMIT $3", s.whole); err != nil {
			return nil, false, err
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		p, err := t.Person(id)
		if err != nil {
			return nil, false, err
		}
		if p.MergedInto == "" && s.person(p) && selected(p) {
			found = append(found, p)
		}
		if len(found) > n {
			break
		}
	}
	slices.SortFunc(found, func(a, b console.Person) int {
		return bytes.Compare(console.SortKey(a.Name), console.SortKey(b.Name))
	})
	if len(found) > n {
		found, more = found[:n], true
	}
	return found, more, nil
}
