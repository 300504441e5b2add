package console

import (
	"fmt"
	"slices"
	"strings"

	"baton"
)

// Approver names people who may decide. Kind and the field for the kind are set. Its text form is
// that of [ParseApprover].
type Approver struct {
	Kind        ApproverKind `json:"kind" yaml:"kind"`
	Person      ID           `json:"person,omitempty" yaml:"person,omitempty"`
	Role        ConsoleRole  `json:"role,omitempty" yaml:"role,omitempty"`
	App         ID           `json:"app,omitempty" yaml:"app,omitempty"`                 // of Entitlement
	Entitlement string       `json:"entitlement,omitempty" yaml:"entitlement,omitempty"` // its id in the app
	Expression  string       `json:"expression,omitempty" yaml:"expression,omitempty"`
}

// ApproverKind says how approvers are found.
type ApproverKind string

const (
	ApproverPerson           ApproverKind = "person"            // one person
	ApproverGroup            ApproverKind = "group"             // the holders of an entitlement
	ApproverRole             ApproverKind = "role"              // the holders of a role in the console
	ApproverManager          ApproverKind = "manager"           // the subject's manager
	ApproverAppOwner         ApproverKind = "app-owner"         // the owners of the app
	ApproverEntitlementOwner ApproverKind = "entitlement-owner" // the owners of the entitlement
	ApproverExpression       ApproverKind = "expression"        // the result of an expression: ids or e-mail addresses
)

// MaxApprovers limits the people behind one approver. A larger group counts as empty, because nobody
// in it would feel responsible.
const MaxApprovers = 128

// ParseApprover parses the text form of an approver: "manager", "app-owner", "entitlement-owner",
// "role:security-officer", "group:Perplexity/group:g1:member" (an app and the id of one of its
// entitlements), "expression:subject.manager", an e-mail address, or "person:" with a person's id.
func ParseApprover(text string) (Approver, error) {
	text = strings.TrimSpace(text)
	kind, rest, _ := strings.Cut(text, ":")
	rest = strings.TrimSpace(rest)
	a := Approver{Kind: ApproverKind(strings.TrimSpace(kind))}
	switch a.Kind {
	case ApproverManager, ApproverAppOwner, ApproverEntitlementOwner:
		if kind != text {
			return a, baton.Errorf(baton.Invalid, "nothing follows %s in %q", a.Kind, text)
		}
	case ApproverRole:
		a.Role = ConsoleRole(rest)
	case ApproverPerson:
		a.Person = ID(rest)
	case ApproverExpression:
		a.Expression = rest
	case ApproverGroup:
		app, entitlement, ok := strings.Cut(rest, "/")
		if !ok {
			return a, baton.Errorf(baton.Invalid, "%q names no entitlement", text).WithFix("Write group:APPLICATION/ENTITLEMENT, with the id that the application's page shows.")
		}
		a.App, a.Entitlement = ID(strings.TrimSpace(app)), strings.TrimSpace(entitlement)
	default:
		if strings.Contains(text, "@") && !strings.ContainsAny(text, " \t") {
			return Approver{Kind: ApproverPerson, Person: ID(text)}, nil
		}
		return a, baton.Errorf(baton.Invalid, "there is no kind of approvers %q", text).
			WithFix("Write manager, app-owner, entitlement-owner, role:ROLE, group:APPLICATION/ENTITLEMENT, expression:TEXT or an e-mail address.")
	}
	return a, nil
}

// Text returns the approver in the form of [ParseApprover].
func (a Approver) Text() string {
	switch a.Kind {
	case ApproverPerson:
		if strings.Contains(string(a.Person), "@") {
			return string(a.Person)
		}
		return "person:" + string(a.Person)
	case ApproverRole:
		return "role:" + string(a.Role)
	case ApproverGroup:
		return "group:" + string(a.App) + "/" + a.Entitlement
	case ApproverExpression:
		return "expression:" + a.Expression
	}
	return string(a.Kind)
}

// MarshalYAML implements [yaml.Marshaler], with the text form.
func (a Approver) MarshalYAML() (any, error) { return a.Text(), nil }

// UnmarshalYAML implements [yaml.Unmarshaler], from the text form or the fields.
func (a *Approver) UnmarshalYAML(unmarshal func(any) error) (err error) {
	var text string
	if unmarshal(&text) == nil {
		*a, err = ParseApprover(text)
		return err
	}
	type fields Approver
	return unmarshal((*fields)(a))
}

// Label returns the name of an approver for display.
func (a Approver) Label() string {
	switch a.Kind {
	case ApproverPerson:
		return "named in the policy"
	case ApproverGroup:
		return "member of the group"
	case ApproverRole:
		return strings.ToLower(a.Role.Label())
	case ApproverManager:
		return "manager"
	case ApproverAppOwner:
		return "owner of the application"
	case ApproverEntitlementOwner:
		return "owner of the entitlement"
	}
	return "named by an expression of the policy"
}

// foreign returns the name of a set field that belongs to another kind; "" if there is none.
func (a Approver) foreign() string {
	for _, field := range []struct {
		name string
		set  bool
		kind ApproverKind
	}{{"person", a.Person != "", ApproverPerson}, {"role", a.Role != "", ApproverRole}, {"app", a.App != "", ApproverGroup},
		{"entitlement", a.Entitlement != "", ApproverGroup}, {"expression", a.Expression != "", ApproverExpression}} {
		if field.set && field.kind != a.Kind {
			return field.name
		}
	}
	return ""
}

func (a Approver) check(compile func(string, bool) error) error {
	switch a.Kind {
	case ApproverPerson:
		if a.Person == "" {
			return fmt.Errorf("an approver of kind person names nobody")
		}
	case ApproverGroup:
		if a.App == "" || a.Entitlement == "" {
			return fmt.Errorf("an approver of kind group names no app and entitlement")
		}
	case ApproverRole:
		if !slices.Contains(ConsoleRoles(), a.Role) {
			return fmt.Errorf("there is no role %q", a.Role)
		}
	case ApproverExpression:
		if err := checkText(a.Expression, true, compile); err != nil {
			return err
		}
	case ApproverManager, ApproverAppOwner, ApproverEntitlementOwner:
	default:
		return fmt.Errorf("there is no kind of approvers %q", a.Kind)
	}
	if foreign := a.foreign(); foreign != "" {
		return fmt.Errorf("an approver of kind %s has no %s", a.Kind, foreign)
	}
	return nil
}
