package scim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Filter is a parsed filter (RFC 7644 section 3.4.2.2).
type Filter struct {
	Op          string // "and", "or", "not", "[]" (a value path), "pr", or a comparison
	Left, Right *Filter
	Path        Path // of a comparison, "pr" or "[]"; Attr is in lower case
	Value       any  // of a comparison: string, bool, json.Number or nil
}

// Path names an attribute or a part of a complex one. For an attribute of an extension, Attr is the
// extension's URN.
type Path struct {
	Attr, Sub string
	// Part is the part of a complex attribute of an extension, for example the value of a manager.
	Part string
}

// Limits on the cost of parsing a filter.
const (
	maxFilterBytes = 16 << 10
	maxFilterDepth = 64
)

// The URNs of the standard schemas. CoreURN is the beginning of those of resources.
const (
	CoreURN       = "urn:ietf:params:scim:schemas:core:2.0:"
	UserURN       = CoreURN + "User"
	GroupURN      = CoreURN + "Group"
	EnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// ParseFilter parses a whole filter expression.
func ParseFilter(s string) (*Filter, error) {
	if len(s) > maxFilterBytes {
		return nil, fmt.Errorf("the filter is longer than %d bytes", maxFilterBytes)
	}
	p := &filterParser{in: s}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.in) {
		return nil, p.unexpected("the end")
	}
	return f, nil
}

type filterParser struct {
	in string
	at int
}

func (p *filterParser) space() {
	for p.at < len(p.in) && p.in[p.at] == ' ' {
		p.at++
	}
}

func (p *filterParser) unexpected(wanted string) error {
	if p.at >= len(p.in) {
		return fmt.Errorf("the filter ends where %s should be", wanted)
	}
	return fmt.Errorf("at %d: %s should be here, not %.20q", p.at+1, wanted, p.in[p.at:])
}

// word consumes a run of characters that attribute names, operators and URNs consist of.
func (p *filterParser) word() string {
	p.space()
	from := p.at
	for p.at < len(p.in) && wordByte(p.in[p.at]) {
		p.at++
	}
	return p.in[from:p.at]
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-$:.", c) >= 0
}

// keyword consumes the word if it comes next.
func (p *filterParser) keyword(want string) bool {
	before := p.at
	if strings.EqualFold(p.word(), want) {
		return true
	}
	p.at = before
	return false
}

func (p *filterParser) byte(c byte) bool {
	p.space()
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) or(depth int) (*Filter, error)  { return p.chain("or", p.and, depth) }
func (p *filterParser) and(depth int) (*Filter, error) { return p.chain("and", p.term, depth) }

func (p *filterParser) chain(op string, next func(int) (*Filter, error), depth int) (*Filter, error) {
	f, err := next(depth)
	for err == nil && p.keyword(op) {
		var right *Filter
		right, err = next(depth)
		f = &Filter{Op: op, Left: f, Right: right}
	}
	return f, err
}

func (p *filterParser) term(depth int) (*Filter, error) {
	if depth > maxFilterDepth {
		return nil, fmt.Errorf("the filter nests deeper than %d", maxFilterDepth)
	}
	if p.keyword("not") {
		if p.space(); p.at >= len(p.in) || p.in[p.at] != '(' {
			return nil, p.unexpected(`"("`)
		}
		f, err := p.term(depth + 1)
		return &Filter{Op: "not", Left: f}, err
	}
	if p.byte('(') {
		f, err := p.or(depth + 1)
		if err == nil && !p.byte(')') {
			err = p.unexpected(`")"`)
		}
		return f, err
	}
	return p.attribute(depth)
}

func (p *filterParser) attribute(depth int) (*Filter, error) {
	path, err := p.attrPath()
	if err != nil {
		return nil, err
	}
	path.Attr = strings.ToLower(path.Attr)
	if !p.byte('[') {
		return p.comparison(path)
	}
	f, err := p.or(depth + 1)
	if err == nil && !p.byte(']') {
		err = p.unexpected(`"]"`)
	}
	if err == nil && p.at < len(p.in) && p.in[p.at] == '.' { // attr[filter].sub eq "x", which Entra sends
		p.at++
		var sub Path
		if sub, err = p.attrPath(); err != nil {
			return nil, err
		}
		sub.Attr = strings.ToLower(sub.Attr)
		var right *Filter
		right, err = p.comparison(sub)
		f = &Filter{Op: "and", Left: f, Right: right}
	}
	return &Filter{Op: "[]", Path: path, Left: f}, err
}

// comparison parses what follows an attribute: pr, or an operator and a value.
func (p *filterParser) comparison(path Path) (*Filter, error) {
	before := p.at
	op := strings.ToLower(p.word())
	switch op {
	case "pr":
		return &Filter{Op: op, Path: path}, nil
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le":
	default:
		p.at = before
		p.space()
		return nil, p.unexpected("an operator")
	}
	value, err := p.literal()
	if err != nil {
		return nil, err
	}
	_, text := value.(string)
	_, number := value.(json.Number)
	if !text && (op == "co" || op == "sw" || op == "ew") || !text && !number && op != "eq" && op != "ne" {
		return nil, fmt.Errorf("%s cannot be compared with %v", op, value)
	}
	return &Filter{Op: op, Path: path, Value: value}, nil
}

func (p *filterParser) attrPath() (Path, error) {
	p.space()
	from := p.at
	path, err := splitPath(p.word())
	if err != nil {
		p.at = from
		return Path{}, p.unexpected("an attribute name")
	}
	return path, nil
}

// splitPath splits a name. Dots in a URN such as "2.0" are not separators, so everything up to the last colon
// is the schema.
func splitPath(name string) (Path, error) {
	if len(name) > len(CoreURN) && strings.EqualFold(name[:len(CoreURN)], CoreURN) {
		_, rest, found := strings.Cut(name[len(CoreURN):], ":")
		if !found {
			return Path{}, errors.New("a schema without an attribute")
		}
		name = rest
	}
	if strings.EqualFold(name, EnterpriseURN) {
		return Path{Attr: EnterpriseURN}, nil
	}
	if i := strings.LastIndexByte(name, ':'); i > 0 && i < len(name)-1 {
		path := Path{Attr: name[:i]}
		var dotted bool
		if path.Sub, path.Part, dotted = strings.Cut(name[i+1:], "."); path.Sub == "" || dotted && path.Part == "" || strings.Contains(path.Part, ".") {
			return Path{}, errors.New("not an attribute name")
		}
		return path, nil
	}
	head, sub, dotted := strings.Cut(name, ".")
	if head == "" || dotted && sub == "" || strings.ContainsAny(name, ":") || strings.Contains(sub, ".") || head[0] >= '0' && head[0] <= '9' {
		return Path{}, errors.New("not an attribute name")
	}
	return Path{Attr: head, Sub: sub}, nil
}

func (p *filterParser) literal() (any, error) {
	p.space()
	if p.at < len(p.in) && p.in[p.at] == '"' {
		for i := p.at + 1; i < len(p.in); i++ {
			switch p.in[i] {
			case '\\':
				i++
			case '"':
				var s string
				if json.Unmarshal([]byte(p.in[p.at:i+1]), &s) != nil {
					return nil, p.unexpected("a JSON string")
				}
				p.at = i + 1
				return s, nil
			}
		}
		return nil, p.unexpected("a closed string")
	}
	from := p.at
	for p.at < len(p.in) && (wordByte(p.in[p.at]) || p.in[p.at] == '+') {
		p.at++
	}
	word := p.in[from:p.at]
	switch strings.ToLower(word) { // Entra writes True
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	var n json.Number
	if word == "" || json.Unmarshal([]byte(word), &n) != nil {
		p.at = from
		return nil, p.unexpected("a value")
	}
	return n, nil
}

// Matches evaluates the filter on a resource or a complex value, whose attributes get returns. If exact is
// true, every comparison of strings is case-sensitive.
func (f *Filter) Matches(get func(string) any, exact bool) bool {
	switch f.Op {
	case "and":
		return f.Left.Matches(get, exact) && f.Right.Matches(get, exact)
	case "or":
		return f.Left.Matches(get, exact) || f.Right.Matches(get, exact)
	case "not":
		return !f.Left.Matches(get, exact)
	case "ne":
		eq := *f
		eq.Op = "eq"
		return !eq.Matches(get, exact)
	case "[]":
		for _, v := range Elements(get(f.Path.Attr)) {
			if o, ok := v.(Object); ok && f.Left.Matches(o.Get, exact) {
				return true
			}
		}
		return false
	}
	exact = exact || f.Path.caseExact()
	present := false
	for _, v := range f.Path.values(get) {
		present = true
		if f.Op == "pr" || compare(f.Op, v, f.Value, exact, f.Path.Attr == "meta") {
			return true
		}
	}
	return !present && f.Op == "eq" && f.Value == nil
}

// values returns the present values of the path. A complex value without a sub-attribute in the path is
// represented by its "value".
func (p Path) values(get func(string) any) []any {
	var found []any
	for _, v := range Elements(get(p.Attr)) {
		if o, ok := v.(Object); ok {
			switch {
			case p.Sub != "":
				v = o.Get(p.Sub)
				if part, ok := v.(Object); ok {
					v = part.Get(cmp.Or(p.Part, "value"))
				}
			case o.Get("value") != nil:
				v = o.Get("value")
			}
		}
		if v != nil && v != "" {
			found = append(found, v)
		}
	}
	return found
}

// caseExact reports whether the standard requires a case-sensitive comparison for the attribute: identifiers
// and metadata.
func (p Path) caseExact() bool {
	switch p.Attr {
	case "id", "externalid", "meta":
		return true
	case "members", "groups":
		return p.NamesValue()
	}
	return false
}

// NamesValue reports whether the path denotes the "value" of a multi-valued attribute.
func (p Path) NamesValue() bool { return p.Sub == "" || strings.EqualFold(p.Sub, "value") }

func compare(op string, have, want any, exact, timestamps bool) bool {
	switch have := have.(type) {
	case bool:
		if s, ok := want.(string); ok { // Entra quotes booleans
			return op == "eq" && (have && strings.EqualFold(s, "true") || !have && strings.EqualFold(s, "false"))
		}
		return op == "eq" && have == want
	case json.Number:
		n, ok := want.(json.Number)
		a, errA := have.Float64()
		b, errB := n.Float64()
		return ok && errA == nil && errB == nil && ordering(op, cmp.Compare(a, b))
	case string:
		want, ok := want.(string)
		if !ok {
			return false
		}
		if timestamps {
			a, errA := time.Parse(time.RFC3339, have)
			b, errB := time.Parse(time.RFC3339, want)
			if errA == nil && errB == nil {
				return ordering(op, a.Compare(b))
			}
		}
		if !exact {
			have, want = strings.ToLower(have), strings.ToLower(want)
		}
		switch op {
		case "co":
			return strings.Contains(have, want)
		case "sw":
			return strings.HasPrefix(have, want)
		case "ew":
			return strings.HasSuffix(have, want)
		}
		return ordering(op, strings.Compare(have, want))
	}
	return false
}

func ordering(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	}
	return false
}
