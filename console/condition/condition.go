// Package condition evaluates the conditions of policies. They are written in the Common Expression
// Language (CEL), like those of C1, so that existing conditions can be used.
//
// The types of a text are checked when it is written. Evaluation has a limited cost and no side
// effects: no clock, no network, no store.
package condition

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"baton"
)

// Input is the data that a condition can use.
type Input struct {
	Subject     Person
	Requester   Person
	Entitlement Entitlement
	App         App
	Request     Request
	Now         time.Time
}

// Person is a person in a condition.
type Person struct {
	ID           string   `cel:"id"`
	Name         string   `cel:"name"`
	Email        string   `cel:"email"` // the primary address
	Emails       []string `cel:"emails"`
	Department   string   `cel:"department"`
	Manager      string   `cel:"manager"` // the manager's id
	Status       string   `cel:"status"`
	Roles        []string `cel:"roles"`        // roles in the console
	Entitlements []string `cel:"entitlements"` // ids of all entitlements that the person's accounts hold, in all apps
}

// Entitlement is the requested entitlement.
type Entitlement struct {
	ID           string `cel:"id"`
	Name         string `cel:"name"`
	Slug         string `cel:"slug"`
	Resource     string `cel:"resource"` // name of its resource
	ResourceType string `cel:"resource_type"`
	Role         string `cel:"role"` // the role it gives in the app
	Admin        bool   `cel:"admin"`
}

// App is the application of the entitlement.
type App struct {
	ID   string `cel:"id"`
	Name string `cel:"name"`
}

// Request is the request itself.
type Request struct {
	Kind          string            `cel:"kind"` // "grant" or "revoke"
	Duration      time.Duration     `cel:"duration"`
	OpenEnded     bool              `cel:"open_ended"` // it has no end; duration is then 0
	Emergency     bool              `cel:"emergency"`
	Justification string            `cel:"justification"`
	Form          map[string]string `cel:"form"`
}

// The limits of an expression.
const (
	maxSize      = 4000   // characters
	maxNesting   = 64     // depth of parentheses, lists and calls
	maxCost      = 100000 // cost of one evaluation, in CEL's units
	checkEvery   = 1000   // loop steps between two checks of the context
	maxYielded   = 1000   // people in the result of an expression
	maxErrorText = 300    // bytes of an error text
)

var environment = func() *cel.Env {
	env, err := cel.NewEnv(
		ext.NativeTypes(ext.ParseStructTag("cel"), reflect.TypeFor[Person](), reflect.TypeFor[Entitlement](), reflect.TypeFor[App](), reflect.TypeFor[Request]()),
		ext.Strings(),
		ext.Sets(),
		cel.Variable("subject", cel.ObjectType("condition.Person")),
		cel.Variable("requester", cel.ObjectType("condition.Person")),
		cel.Variable("entitlement", cel.ObjectType("condition.Entitlement")),
		cel.Variable("app", cel.ObjectType("condition.App")),
		cel.Variable("request", cel.ObjectType("condition.Request")),
		cel.Variable("now", cel.TimestampType),
		cel.ParserExpressionSizeLimit(maxSize),
		cel.ParserRecursionLimit(maxNesting),
	)
	if err != nil {
		panic(fmt.Sprintf("condition: environment: %v", err)) // cannot happen: it is constant
	}
	return env
}()

// Condition is a checked expression.
type Condition struct {
	program cel.Program
}

// Compile checks a condition: an expression of type bool.
func Compile(text string) (*Condition, error) { return compile(text, false) }

// CompilePeople checks an expression that returns people: a string or a list of strings, each a
// person's id or e-mail address.
func CompilePeople(text string) (*Condition, error) { return compile(text, true) }

// Check checks a text like [Compile] or, if people is true, like [CompilePeople].
func Check(text string, people bool) error {
	_, err := compile(text, people)
	return err
}

func compile(text string, people bool) (*Condition, error) {
	ast, err := parse(text)
	if err != nil {
		return nil, err
	}
	switch t := ast.OutputType(); {
	case !people && !t.IsExactType(cel.BoolType):
		return nil, baton.Errorf(baton.Invalid, "the expression is %s and not true or false", t)
	case people && !t.IsExactType(cel.StringType) && !t.IsExactType(cel.ListType(cel.StringType)):
		return nil, baton.Errorf(baton.Invalid, "the expression is %s and not a text or a list of texts", t)
	}
	return program(ast)
}

// parse reads an expression and checks its types.
func parse(text string) (*cel.Ast, error) { return parseIn(environment, text) }

func parseIn(env *cel.Env, text string) (*cel.Ast, error) {
	if len(text) > maxSize {
		return nil, baton.Errorf(baton.Invalid, "the expression is longer than %d characters", maxSize)
	}
	if !utf8.ValidString(text) {
		return nil, baton.Errorf(baton.Invalid, "the expression is not valid UTF-8")
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, baton.Errorf(baton.Invalid, "%s", firstProblem(err.Error()))
	}
	return ast, nil
}

func program(ast *cel.Ast) (*Condition, error) {
	program, err := environment.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "the expression cannot be evaluated: %w", err)
	}
	return &Condition{program}, nil
}

// firstProblem returns the first line of CEL's error, without the excerpt.
func firstProblem(text string) string {
	line, _, _ := strings.Cut(strings.TrimPrefix(text, "ERROR: "), "\n")
	line = strings.ToValidUTF8(strings.TrimPrefix(line, "<input>:"), "\ufffd")
	if len(line) > maxErrorText {
		line = strings.ToValidUTF8(line[:maxErrorText], "") + "…"
	}
	return line
}

func (c *Condition) eval(in Input) (ref.Val, error) {
	out, _, err := c.program.Eval(map[string]any{"subject": in.Subject, "requester": in.Requester, "entitlement": in.Entitlement,
		"app": in.App, "request": in.Request, "now": in.Now})
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "%s", firstProblem(err.Error()))
	}
	if types.IsUnknownOrError(out) {
		return nil, baton.Errorf(baton.Invalid, "the expression has no value")
	}
	return out, nil
}

// Holds evaluates a condition. An error means that the result is unknown.
func (c *Condition) Holds(in Input) (bool, error) {
	out, err := c.eval(in)
	if err != nil {
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, baton.Errorf(baton.Invalid, "the expression is neither true nor false")
	}
	return holds, nil
}

// People evaluates an expression that returns people: ids and e-mail addresses.
func (c *Condition) People(in Input) ([]string, error) {
	out, err := c.eval(in)
	if err != nil {
		return nil, err
	}
	if s, ok := out.Value().(string); ok {
		return []string{s}, nil
	}
	v, err := out.ConvertToNative(reflect.TypeFor[[]string]())
	list, ok := v.([]string)
	if err != nil || !ok || len(list) > maxYielded {
		return nil, baton.Errorf(baton.Invalid, "the expression yields no list of at most %d people", maxYielded)
	}
	return list, nil
}
