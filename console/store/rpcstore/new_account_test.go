package rpcstore

import (
	"slices"
	"testing"

	"baton/console"
	"baton/console/rpc"
)

// TestFillAccount fills the fields of a new account: with what somebody entered, else with
// the app's expressions, else by their names.
func TestFillAccount(t *testing.T) {
	d := rpc.Description{Capabilities: []rpc.Capability{rpc.CanCreateAccounts}, AccountFields: []rpc.Field{
		{Name: "display_name", DisplayName: "Display name", Kind: rpc.StringField, Required: true},
		{Name: "team", Kind: rpc.StringField}, {Name: "admin", Kind: rpc.BoolField}}}
	jane := console.Person{ID: "p", Name: "Jane Smith", Emails: []string{"jane@example.com"}, Department: "Sales"}
	app := console.App{ID: "a", Name: "Perplexity"}
	for _, test := range []struct {
		name    string
		fields  map[string]string
		entered map[string]string
		person  console.Person
		want    []string // display_name, team, admin
		missing []string
	}{
		{"by their names", nil, nil, jane, []string{"Jane Smith", "", ""}, nil},
		{"by expressions", map[string]string{"display_name": `subject.name.split(" ")[1] + " " + subject.name.split(" ")[0]`, "team": "subject.department", "admin": `subject.department == "IT"`}, nil, jane,
			[]string{"Smith Jane", "Sales", "false"}, nil},
		{"entered", map[string]string{"display_name": "subject.name"}, map[string]string{"display_name": "J. Smith"}, jane, []string{"J. Smith", "", ""}, nil},
		{"an expression without a value", map[string]string{"display_name": `subject.name.split(" ")[7]`}, nil, jane, []string{"", "", ""},
			[]string{"Display name cannot be told: index out of bounds: 7.", "Display name is required and not known."}},
		{"no address", nil, nil, console.Person{Name: "Jane Smith"}, []string{"Jane Smith", "", ""}, []string{"Jane Smith has no e-mail address."}},
	} {
		a := FillAccount(d, console.Provisioning{Fields: test.fields}, app, test.person, test.entered)
		var got []string
		for _, f := range a.Fields {
			got = append(got, f.Value)
		}
		if !slices.Equal(got, test.want) || !slices.Equal(a.Missing, test.missing) {
			t.Errorf("%s: %q, missing %q", test.name, got, a.Missing)
		}
		if len(test.missing) > 0 {
			continue
		}
		if a.Work.Login != "jane@example.com" || a.Work.Password.Kind != rpc.NoPassword || a.Work.Profile["display_name"] != test.want[0] {
			t.Errorf("%s: %+v", test.name, a.Work)
		}
	}
}
