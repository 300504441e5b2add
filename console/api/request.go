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

// decode decodes the body like proto3 JSON: field names may be in lowerCamelCase or with
// underscores, unknown fields are ignored, and null means absent. An empty body is an empty message.
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

// free are the fields whose keys are data.
var free = []string{"annotations", "profile", "config", "data", "requestData"}

// camel converts the field names of a JSON value to lowerCamelCase.
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

// mask is the updateMask of a request: the names of the fields to change, separated by commas. If it
// is empty, the fields in the message are changed.
type mask string

// fields returns the fields to change: those of the mask, or those in the named object of the body.
// Invalid if one of them cannot be changed.
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

// number is a number in proto3 JSON, which may be a string.
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

// ref names an object.
type ref struct {
	ID string `json:"id"`
}

const (
	defaultPage = 25
	minPage     = 10
	maxPage     = 100
)

// page is the requested part of a list.
type page struct {
	PageSize  number `json:"pageSize"`
	PageToken string `json:"pageToken"`
}

// query decodes the page in the query of a GET.
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

// size returns the maximum number of rows on the page.
func (p page) size() int {
	if p.PageSize == 0 {
		return defaultPage
	}
	return int(min(max(p.PageSize, minPage), maxPage))
}

// place decodes the token of the page. Without a token, into is unchanged: the beginning of the
// list.
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
		panic(err) // cannot happen: places are plain structs
	}
	return base64.RawURLEncoding.EncodeToString(append([]byte(list+" "), b...))
}

// key decodes a number in the path.
func (c *call) key(name, what string) (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue(name), 10, 64)
	if err != nil || n < 0 {
		return 0, baton.Errorf(baton.NotFound, "no %s", what)
	}
	return n, nil
}

// onlyFields refuses a request with unknown fields that are not empty.
func (c *call) onlyFields(known []string) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(c.body, &all) != nil {
		return nil // decode reports errors; there may be no body
	}
	for name, value := range all {
		if name = camelName(name); slices.Contains(known, name) || slices.Contains([]string{"null", "[]", "{}", `""`, "false", "0"}, string(value)) {
			continue
		}
		if strings.HasSuffix(string(value), `_UNSPECIFIED"`) || string(value) == `"UNSPECIFIED"` {
			continue
		}
		return baton.Errorf(baton.Invalid, "the console cannot search by %s", name).WithFix("Leave it out.")
	}
	return nil
}
