package perplexity

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// filter is a parsed filter (RFC 7644 section 3.4.2.2).
type filter struct {
	op          string // "and", "or", "not", "[]" (a value path), "pr", or a comparison
	left, right *filter
	path        attrPath // of a comparison, "pr" or "[]"; attr is in lower case
	value       any      // of a comparison: string, bool, json.Number or nil
}

// attrPath names an attribute or a part of a complex one. For an attribute of an extension, attr is the
// extension's URN.
type attrPath struct{ attr, sub string }

// Limits on the cost of parsing a filter.
const (
	maxFilterBytes = 16 << 10
	maxFilterDepth = 64
)

const (
	coreURN       = "urn:ietf:params:scim:schemas:core:2.0:"
	userURN       = coreURN + "User"
	groupURN      = coreURN + "Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// parseFilter parses a whole filter expression.
func parseFilter(s string) (*filter, error) {
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

func (p *filterParser) or(depth int) (*filter, error)  { return p.chain("or", p.and, depth) }
func (p *filterParser) and(depth int) (*filter, error) { return p.chain("and", p.term, depth) }

func (p *filterParser) chain(op string, next func(int) (*filter, error), depth int) (*filter, error) {
	f, err := next(depth)
	for err == nil && p.keyword(op) {
		var right *filter
		right, err = next(depth)
		f = &filter{op: op, left: f, right: right}
	}
	return f, err
}

func (p *filterParser) term(depth int) (*filter, error) {
	if depth > maxFilterDepth {
		return nil, fmt.Errorf("the filter nests deeper than %d", maxFilterDepth)
	}
	if p.keyword("not") {
		if p.space(); p.at >= len(p.in) || p.in[p.at] != '(' {
			return nil, p.unexpected(`"("`)
		}
		f, err := p.term(depth + 1)
		return &filter{op: "not", left: f}, err
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

func (p *filterParser) attribute(depth int) (*filter, error) {
	path, err := p.attrPath()
	if err != nil {
		return nil, err
	}
	path.attr = strings.ToLower(path.attr)
	if p.byte('[') {
		f, err := p.or(depth + 1)
		if err == nil && !p.byte(']') {
			err = p.unexpected(`"]"`)
		}
		return &filter{op: "[]", path: path, left: f}, err
	}
	before := p.at
	op := strings.ToLower(p.word())
	switch op {
	case "pr":
		return &filter{op: op, path: path}, nil
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
	return &filter{op: op, path: path, value: value}, nil
}

func (p *filterParser) attrPath() (attrPath, error) {
	p.space()
	from := p.at
	path, err := splitPath(p.word())
	if err != nil {
		p.at = from
		return attrPath{}, p.unexpected("an attribute name")
	}
	return path, nil
}

// splitPath splits a name. Dots in a URN such as "2.0" are not separators, so everything up to the last colon
// is the schema.
func splitPath(name string) (attrPath, error) {
	if len(name) > len(coreURN) && strings.EqualFold(name[:len(coreURN)], coreURN) {
		_, rest, found := strings.Cut(name[len(coreURN):], ":")
		if !found {
			return attrPath{}, errors.New("a schema without an attribute")
		}
		name = rest
	}
	if strings.EqualFold(name, enterpriseURN) {
		return attrPath{attr: enterpriseURN}, nil
	}
	if i := strings.LastIndexByte(name, ':'); i > 0 && i < len(name)-1 {
		return attrPath{attr: name[:i], sub: name[i+1:]}, nil
	}
	head, sub, dotted := strings.Cut(name, ".")
	if head == "" || dotted && sub == "" || strings.ContainsAny(name, ":") || strings.Contains(sub, ".") || head[0] >= '0' && head[0] <= '9' {
		return attrPath{}, errors.New("not an attribute name")
	}
	return attrPath{attr: head, sub: sub}, nil
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

// matches evaluates the filter on a resource or a complex value, whose attributes get returns. If exact is
// true, every comparison of strings is case-sensitive.
func (f *filter) matches(get func(string) any, exact bool) bool {
	switch f.op {
	case "and":
		return f.left.matches(get, exact) && f.right.matches(get, exact)
	case "or":
		return f.left.matches(get, exact) || f.right.matches(get, exact)
	case "not":
		return !f.left.matches(get, exact)
	case "ne":
		eq := *f
		eq.op = "eq"
		return !eq.matches(get, exact)
	case "[]":
		for _, v := range elements(get(f.path.attr)) {
			if o, ok := v.(object); ok && f.left.matches(o.get, exact) {
				return true
			}
		}
		return false
	}
	exact = exact || f.path.caseExact()
	present := false
	for _, v := range f.path.values(get) {
		present = true
		if f.op == "pr" || compare(f.op, v, f.value, exact, f.path.attr == "meta") {
			return true
		}
	}
	return !present && f.op == "eq" && f.value == nil
}

// values returns the present values of the path. A complex value without a sub-attribute in the path is
// represented by its "value".
func (p attrPath) values(get func(string) any) []any {
	var found []any
	for _, v := range elements(get(p.attr)) {
		if o, ok := v.(object); ok {
			switch {
			case p.sub != "":
				v = o.get(p.sub)
			case o.get("value") != nil:
				v = o.get("value")
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
func (p attrPath) caseExact() bool {
	switch p.attr {
	case "id", "externalid", "meta":
		return true
	case "members", "groups":
		return p.namesValue()
	}
	return false
}

// namesValue reports whether the path denotes the "value" of a multi-valued attribute.
func (p attrPath) namesValue() bool { return p.sub == "" || strings.EqualFold(p.sub, "value") }

// elements returns the values of an attribute, single or multi-valued.
func elements(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

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
