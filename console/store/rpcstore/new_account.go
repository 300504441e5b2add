package rpcstore

import (
	"slices"
	"strings"

	"baton/console"
	"baton/console/condition"
	"baton/console/rpc"
	"baton/console/store"
)

// AccountPlan is how a connector would make an account for a person.
type AccountPlan struct {
	Work   rpc.CreateAccountWork
	Fields []AccountField
	// Missing says, for people, why the connector cannot make it.
	Missing []string
}

// AccountField is a field of a new account with its value.
type AccountField struct {
	rpc.Field
	Value string
}

// Label returns what a field is called.
func (f AccountField) Label() string { return labelOf(f.Field) }

func labelOf(f rpc.Field) string {
	if f.DisplayName != "" {
		return f.DisplayName
	}
	return f.Name
}

// MakesAccounts reports whether a connector says that it makes accounts.
func MakesAccounts(d rpc.Description) bool {
	return slices.Contains(d.Capabilities, rpc.CanCreateAccounts) ||
		slices.ContainsFunc(d.ResourceTypes, func(d rpc.TypeDescription) bool { return slices.Contains(d.Capabilities, rpc.CanCreateAccounts) })
}

// PlanAccount returns how a connector would make an account for a person of an app, with
// the values that somebody entered for its fields. ok is false while no host has said what
// the connector can do.
func PlanAccount(tx *store.Tx, connector console.ID, app console.App, person console.Person, entered map[string]string) (a AccountPlan, ok bool, err error) {
	d, ok, err := Describe(tx, string(connector))
	if err != nil || !ok {
		return a, ok, err
	}
	a, err = planAccount(tx, d, app, person, entered)
	return a, true, err
}

func planAccount(tx *store.Tx, d rpc.Description, app console.App, person console.Person, entered map[string]string) (AccountPlan, error) {
	p, err := tx.Provisioning(app.ID)
	if err != nil {
		return AccountPlan{}, err
	}
	return FillAccount(d, p, app, person, entered), nil
}

// FillAccount fills the connector's fields of a new account: with what somebody entered, or
// else with what the app's expressions yield, or else by their names.
func FillAccount(d rpc.Description, p console.Provisioning, app console.App, person console.Person, entered map[string]string) (a AccountPlan) {
	values, wrong := map[string]string{}, []string{}
	for _, f := range d.AccountFields {
		if text, ok := entered[f.Name]; ok {
			values[f.Name] = text
			continue
		}
		text := strings.TrimSpace(p.Fields[f.Name])
		if text == "" {
			continue
		}
		c, err := condition.CompileValue(text)
		if err == nil {
			values[f.Name], err = c.Value(condition.OfPerson(condition.PersonOf(person), condition.App{ID: string(app.ID), Name: strings.ToValidUTF8(app.Name, "\ufffd")}))
		}
		if err != nil {
			values[f.Name] = ""
			wrong = append(wrong, labelOf(f)+" cannot be told: "+err.Error()+".")
		}
	}
	a.Work, a.Missing = NewAccount(d, person, values)
	a.Missing = append(wrong, a.Missing...)
	for _, f := range d.AccountFields {
		value, ok := values[f.Name]
		if !ok {
			value = FromPerson(f.Name, person)
		}
		a.Fields = append(a.Fields, AccountField{f, value})
	}
	return a
}
