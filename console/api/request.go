package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"baton"
)

// decode reads the body into a message. Names may be in lowerCamelCase or with underscores;
// unknown fields are ignored, and null means that a field is absent, as in proto3 JSON. No
// body is an empty message.
func (c *call) decode(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			return baton.Errorf(baton.Invalid, "the body of the request is more than one JSON object")
		}
		if _, ok := v.(map[string]any); !ok {
			return baton.Errorf(baton.Invalid, "the body of the request is no JSON object")
		}
		var b []byte
		if v, err = camel(v); err == nil {
			b, err = json.Marshal(v)
		}
		if err == nil {
			err = json.Unmarshal(b, into)
		}
	}
	if err != nil {
		return baton.Errorf(baton.Invalid, "the body of the request cannot be read: %w", err)
	}
	return nil
}

// free are the fields whose keys are not names of fields.
var free = []string{"annotations", "profile", "config", "data", "requestData"}

// camel returns a JSON value with the names of fields in lowerCamelCase.
func camel(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, one := range v {
			name := camelName(k)
			if _, twice := out[name]; twice {
				return nil, baton.Errorf(baton.Invalid, "the field %s is given twice", name)
			}
			if !slices.Contains(free, name) {
				var err error
				if one, err = camel(one); err != nil {
					return nil, err
				}
			}
			out[name] = one
		}
		return out, nil
	case []any:
		for i := range v {
			one, err := camel(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = one
		}
	}
	return v, nil
}

func camelName(s string) string {
	words := strings.Split(strings.TrimSpace(s), "_")
	for i := 1; i < len(words); i++ {
		if words[i] != "" {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
	}
	return strings.Join(words, "")
}

// mask is the updateMask of a request: the names of the fields that are to change, separated
// by commas. Without one, the fields that the message has are.
type mask string

// fields returns the fields to change: those of the mask, or those that are present in the
// object of the body with a name. Invalid if one is not among those that can be changed.
func (m mask) fields(body []byte, object string, known ...string) ([]string, error) {
	var names []string
	if m != "" {
		for name := range strings.SplitSeq(string(m), ",") {
			if name = camelName(strings.TrimPrefix(strings.TrimSpace(name), object+".")); !slices.Contains(known, name) {
				return nil, baton.Errorf(baton.Invalid, "the field %q of updateMask cannot be changed here", name).WithFix("These can: %s.", strings.Join(known, ", "))
			}
			names = append(names, name)
		}
		return names, nil
	}
	var all map[string]json.RawMessage
	var given map[string]json.RawMessage
	if json.Unmarshal(body, &all) == nil && json.Unmarshal(all[object], &given) == nil {
		for name, value := range given {
			if name = camelName(name); slices.Contains(known, name) && string(value) != "null" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// number is a number as proto3 JSON has it: also as a string.
type number int64

func (n *number) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" || s == "" {
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	*n = number(v)
	return err
}

// Sizes of pages.
const (
	defaultPage = 25
	minPage     = 10
	maxPage     = 100
)

// page is the part of a list that is asked for.
type page struct {
	PageSize  number `json:"pageSize"`
	PageToken string `json:"pageToken"`
}

// query reads the page from the query of a GET.
func (c *call) query() (p page, err error) {
	q := c.r.URL.Query()
	get := func(names ...string) string {
		for _, n := range names {
			if v := q.Get(n); v != "" {
				return v
			}
		}
		return ""
	}
	if size := get("page_size", "pageSize"); size != "" {
		n, err := strconv.ParseInt(size, 10, 32)
		if err != nil {
			return p, baton.Errorf(baton.Invalid, "page_size is no number")
		}
		p.PageSize = number(n)
	}
	p.PageToken = get("page_token", "pageToken")
	return p, nil
}

// size returns how many rows the page has at most.
func (p page) size() int {
	if p.PageSize == 0 {
		return defaultPage
	}
	return int(min(max(p.PageSize, minPage), maxPage))
}

// place reads where the page begins; without a token, the list begins.
func (p page) place(list string, into any) error {
	if p.PageToken == "" {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(p.PageToken)
	if err == nil {
		name, rest, _ := bytes.Cut(b, []byte(" "))
		if string(name) != list {
			return baton.Errorf(baton.Invalid, "the page token belongs to another list")
		}
		err = json.Unmarshal(rest, into)
	}
	if err != nil {
		return baton.Errorf(baton.Invalid, "the page token is damaged").WithFix("Begin the list anew.")
	}
	return nil
}

// token returns the page token for a place in a list.
func token(list string, place any) string {
	b, err := json.Marshal(place)
	if err != nil {
		panic(err) // places are plain structs
	}
	return base64.RawURLEncoding.EncodeToString(append([]byte(list+" "), b...))
}

// key reads the number of a row from the path.
func (c *call) key(name, what string) (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue(name), 10, 64)
	if err != nil || n < 0 {
		return 0, baton.Errorf(baton.NotFound, "no %s", what)
	}
	return n, nil
}
