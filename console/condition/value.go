package condition

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"baton"
	"baton/console"
)

// maxValue limits the text that an expression yields, in bytes.
const maxValue = 4000

// CompileValue checks an expression that yields the value of a field: a text, a number, true
// or false, or a list of texts.
func CompileValue(text string) (*Condition, error) {
	ast, err := parse(text)
	if err != nil {
		return nil, err
	}
	for _, t := range []*cel.Type{cel.StringType, cel.IntType, cel.BoolType, cel.ListType(cel.StringType)} {
		if ast.OutputType().IsExactType(t) {
			return program(ast)
		}
	}
	return nil, baton.Errorf(baton.Invalid, "the expression is %s and not a text, a number, true or false, or a list of texts", ast.OutputType())
}

// Value returns what an expression yields, as people enter it in a form: the texts of a list
// are lines.
func (c *Condition) Value(in Input) (string, error) {
	out, err := c.eval(in)
	if err != nil {
		return "", err
	}
	var text string
	switch v := out.Value().(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	default:
		native, err := out.ConvertToNative(reflect.TypeFor[[]string]())
		list, ok := native.([]string)
		if err != nil || !ok {
			return "", baton.Errorf(baton.Invalid, "the expression yields no value of a field")
		}
		text = strings.Join(list, "\n")
	}
	if len(text) > maxValue || !utf8.ValidString(text) {
		return "", baton.Errorf(baton.Invalid, "the expression yields more than %d bytes, or no text", maxValue)
	}
	return text, nil
}

// OfPerson returns what expressions about one person and an app can look at.
func OfPerson(p Person, app App) Input { return Input{Subject: p, Requester: p, App: app} }

// PersonOf returns a person as conditions see them, without what the person holds.
func PersonOf(p console.Person) Person {
	c := Person{ID: string(p.ID), Name: strings.ToValidUTF8(p.Name, "\ufffd"), Emails: p.Emails, Department: strings.ToValidUTF8(p.Department, "\ufffd"), Manager: string(p.Manager), Status: string(p.Status)}
	if len(p.Emails) > 0 {
		c.Email = p.Emails[0]
	}
	for _, r := range p.Roles {
		c.Roles = append(c.Roles, string(r))
	}
	return c
}
