package condition

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"baton"
	"baton/console"
)

// AutomationInput is the data that the expressions of an automation can use.
type AutomationInput struct {
	Subject Person
	Account Account
	App     App
	Trigger Trigger
	Form    map[string]string
	Message any            // of a webhook; nil for none
	Steps   map[string]any // results of earlier steps, by their names
	Now     time.Time
}

// Account is the account that an automation runs for.
type Account struct {
	ID     string `cel:"id"` // in the application
	Type   string `cel:"type"`
	Name   string `cel:"name"`
	Login  string `cel:"login"`
	Email  string `cel:"email"`
	Status string `cel:"status"` // "enabled", "disabled", "deleted", or "" if it is not given
}

// Trigger holds the cause of an execution.
type Trigger struct {
	Kind        string `cel:"kind"`
	Entitlement string `cel:"entitlement"` // id of what was found, is gone, or requires a course
	Admin       bool   `cel:"admin"`       // that entitlement means administrator in the application
	Explained   bool   `cel:"explained"`   // the console knows the cause of the change
}

// automationEnvironment is made when it is first needed: many consoles have no automations.
var automationEnvironment = sync.OnceValue(func() *cel.Env {
	env, err := cel.NewEnv(
		ext.NativeTypes(ext.ParseStructTag("cel"), reflect.TypeFor[Person](), reflect.TypeFor[Account](), reflect.TypeFor[App](), reflect.TypeFor[Trigger]()),
		ext.Strings(),
		ext.Sets(),
		cel.Variable("subject", cel.ObjectType("condition.Person")),
		cel.Variable("account", cel.ObjectType("condition.Account")),
		cel.Variable("app", cel.ObjectType("condition.App")),
		cel.Variable("trigger", cel.ObjectType("condition.Trigger")),
		cel.Variable("form", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("message", cel.DynType),
		cel.Variable("steps", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("now", cel.TimestampType),
		cel.ParserExpressionSizeLimit(maxSize),
		cel.ParserRecursionLimit(maxNesting),
	)
	if err != nil {
		panic(fmt.Sprintf("condition: environment of automations: %v", err)) // cannot happen: it is constant
	}
	return env
})

// Automation is a checked expression of an automation.
type Automation struct{ program cel.Program }

// yields lists the types of each kind of expressions. What a message or a step yields has no type
// before it is there.
var yields = map[console.ExpressionKind][]*cel.Type{
	console.ExpressionCondition: {cel.BoolType, cel.DynType},
	console.ExpressionValue:     {cel.StringType, cel.IntType, cel.BoolType, cel.ListType(cel.StringType), cel.DynType},
	console.ExpressionPeople:    {cel.StringType, cel.ListType(cel.StringType), cel.DynType},
}

// CompileAutomation checks an expression of an automation.
func CompileAutomation(text string, kind console.ExpressionKind) (*Automation, error) {
	ast, err := parseIn(automationEnvironment(), text)
	if err != nil {
		return nil, err
	}
	if t := ast.OutputType(); !slices.ContainsFunc(yields[kind], t.IsExactType) {
		return nil, baton.Errorf(baton.Invalid, "the expression is %s and not %s", t, map[console.ExpressionKind]string{console.ExpressionCondition: "true or false",
			console.ExpressionValue: "a text, a number, true or false, or a list of texts", console.ExpressionPeople: "a text or a list of texts"}[kind])
	}
	program, err := automationEnvironment().Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "the expression cannot be evaluated: %w", err)
	}
	return &Automation{program}, nil
}

// CheckAutomation checks an expression like [CompileAutomation].
func CheckAutomation(text string, kind console.ExpressionKind) error {
	_, err := CompileAutomation(text, kind)
	return err
}

func (a *Automation) eval(in AutomationInput) (ref.Val, error) {
	if in.Steps == nil {
		in.Steps = map[string]any{}
	}
	if in.Form == nil {
		in.Form = map[string]string{}
	}
	out, _, err := a.program.Eval(map[string]any{"subject": in.Subject, "account": in.Account, "app": in.App, "trigger": in.Trigger, "form": in.Form,
		"message": in.Message, "steps": in.Steps, "now": in.Now})
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "%s", firstProblem(err.Error()))
	}
	if types.IsUnknownOrError(out) {
		return nil, baton.Errorf(baton.Invalid, "the expression has no value")
	}
	return out, nil
}

// Holds evaluates a condition. An error means that the result is unknown.
func (a *Automation) Holds(in AutomationInput) (bool, error) {
	out, err := a.eval(in)
	if err != nil {
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, baton.Errorf(baton.Invalid, "the expression is neither true nor false")
	}
	return holds, nil
}

// Value returns what an expression yields, as people enter it in a form: the texts of a list are
// lines.
func (a *Automation) Value(in AutomationInput) (string, error) {
	out, err := a.eval(in)
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
	case float64: // a number of a message
		if v != float64(int64(v)) {
			return "", baton.Errorf(baton.Invalid, "the expression yields a number that is not whole")
		}
		text = strconv.FormatInt(int64(v), 10)
	default:
		list, err := texts(out)
		if err != nil {
			return "", err
		}
		text = strings.Join(list, "\n")
	}
	if len(text) > maxValue || !utf8.ValidString(text) {
		return "", baton.Errorf(baton.Invalid, "the expression yields more than %d bytes, or no text", maxValue)
	}
	return text, nil
}

// People evaluates an expression that returns people: ids and e-mail addresses.
func (a *Automation) People(in AutomationInput) ([]string, error) {
	out, err := a.eval(in)
	if err != nil {
		return nil, err
	}
	if s, ok := out.Value().(string); ok {
		return []string{s}, nil
	}
	list, err := texts(out)
	if err != nil || len(list) > maxYielded {
		return nil, baton.Errorf(baton.Invalid, "the expression yields no list of at most %d people", maxYielded)
	}
	return list, nil
}

func texts(out ref.Val) ([]string, error) {
	native, err := out.ConvertToNative(reflect.TypeFor[[]string]())
	list, ok := native.([]string)
	if err != nil || !ok {
		return nil, baton.Errorf(baton.Invalid, "the expression yields no text and no list of texts")
	}
	return list, nil
}

// maxMessageNesting limits how deep the objects of a message may be nested.
const maxMessageNesting = 32

// Message returns the JSON of a webhook as expressions see it.
func Message(body []byte) (any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	depth, deepest := 0, 0
	for d := json.NewDecoder(strings.NewReader(string(body))); ; {
		t, err := d.Token()
		if err != nil {
			break // the end, or what Unmarshal refuses
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	if deepest > maxMessageNesting {
		return nil, baton.Errorf(baton.Invalid, "the message is nested more than %d deep", maxMessageNesting)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, baton.Errorf(baton.Invalid, "the message is no JSON")
	}
	return v, nil
}
