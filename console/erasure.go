package console

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"baton"
)

// Erasure records that the personal data of a person was removed. It holds none.
type Erasure struct {
	Person ID        `json:"person"`
	At     time.Time `json:"at"`
	Author ID        `json:"author"` // who proposed it
	Second ID        `json:"second"` // who confirmed it
	Why    string    `json:"why"`
	// Payloads is the number of events whose payload was replaced; Done is when all were looked at.
	Payloads int       `json:"payloads"`
	Done     time.Time `json:"done,omitzero"`
}

// DueErasure is the kind of the due rows of persons whose data is being removed from events. They
// refer to the person. The payload is an [Erasing], which is removed with the row.
const DueErasure = "person.erase"

// PayloadsErased is the kind of the event that says which events were replaced by which payloads.
const PayloadsErased = "person.payloads-erased"

// ErasedText takes the place of personal data.
const ErasedText = "[erased]"

// Erasing holds what to look for: everything that names one of these persons is removed.
type Erasing struct {
	Persons []ID     `json:"persons"` // the person, and those that were merged into it
	Texts   []string `json:"texts"`   // names, addresses and logins
}

// minErased is the length of the shortest text that is looked for, in characters. A shorter one
// would be found in words of others.
const minErased = 3

// Eraser removes what an [Erasing] names from texts.
type Eraser struct {
	Erasing
	find *regexp.Regexp
}

// NewEraser returns an eraser.
func NewEraser(e Erasing) *Eraser {
	var words []string
	for _, s := range e.Texts {
		if s = strings.TrimSpace(s); utf8.RuneCountInString(s) >= minErased {
			words = append(words, regexp.QuoteMeta(s))
		}
	}
	x := &Eraser{Erasing: e}
	if len(words) > 0 {
		slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // the longest of several that begin alike
		x.find = regexp.MustCompile("(?i:" + strings.Join(words, "|") + ")")
	}
	return x
}

// Text returns a text without what is erased. Names inside longer words stay.
func (x *Eraser) Text(s string) string {
	if x.find == nil {
		return s
	}
	var b strings.Builder
	done := 0
	for at := 0; at <= len(s); {
		m := x.find.FindStringIndex(s[at:])
		if m == nil {
			break
		}
		from, to := at+m[0], at+m[1]
		before, _ := utf8.DecodeLastRuneInString(s[:from])
		after, _ := utf8.DecodeRuneInString(s[to:])
		if from > 0 && wordRune(before) || to < len(s) && wordRune(after) {
			_, size := utf8.DecodeRuneInString(s[from:])
			at = from + max(size, 1)
			continue
		}
		b.WriteString(s[done:from])
		b.WriteString(ErasedText)
		done, at = to, to
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// JSON returns a JSON value without what is erased, in strings and in the names of fields. The value
// is returned as it is if it holds nothing of that.
func (x *Eraser) JSON(value []byte) ([]byte, error) {
	if len(value) == 0 {
		return value, nil
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return value, baton.Errorf(baton.Corrupt, "erase: %w", err)
	}
	changed := false
	if v = x.value(v, &changed); !changed {
		return value, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return value, baton.Errorf(baton.Internal, "erase: %w", err)
	}
	return b, nil
}

func (x *Eraser) value(v any, changed *bool) any {
	switch v := v.(type) {
	case string:
		s := x.Text(v)
		*changed = *changed || s != v
		return s
	case []any:
		for i := range v {
			v[i] = x.value(v[i], changed)
		}
	case map[string]any:
		for name, field := range v {
			to := x.Text(name)
			if to != name {
				delete(v, name)
				*changed = true
			}
			v[to] = x.value(field, changed)
		}
	}
	return v
}

// Payload returns the payload of an event without what is erased. It keeps who did what when, by
// IDs. Of an event that the person caused, the network address and the program go as well. The
// payload is returned as it is if it holds nothing of that.
func (x *Eraser) Payload(payload []byte) ([]byte, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return payload, baton.Errorf(baton.Corrupt, "erase: %w", err)
	}
	data, err := x.JSON(e.Data)
	if err != nil {
		return payload, err
	}
	object := x.Text(e.Object)
	changed := !bytes.Equal(data, e.Data) || object != e.Object
	e.Data, e.Object = data, object
	if e.Actor.Kind == ActorPerson && slices.Contains(x.Persons, ID(e.Actor.ID)) && (e.Address != "" || e.Source != "") {
		e.Address, e.Source, changed = "", "", true
	}
	if !changed {
		return payload, nil
	}
	e.Salt, e.Erased = "", true
	b, err := json.Marshal(e)
	if err != nil {
		return payload, baton.Errorf(baton.Internal, "erase: %w", err)
	}
	return b, nil
}
