package console_test

import (
	"strings"
	"testing"

	"baton"
	. "baton/console"
)

// TestRights checks the table of rights.
func TestRights(t *testing.T) {
	person := func(id ID, roles ...ConsoleRole) Person { return Person{ID: id, Status: PersonActive, Roles: roles} }
	app := &App{ID: "app", Owners: []ID{"app-owner"}}
	connector := &Connector{ID: "connector", App: "app", Owners: []ID{"connector-owner"}}
	subject := &Person{ID: "subject", Manager: "manager"}
	object := Object{App: app, Connector: connector, Person: subject, EntitlementOwners: []ID{"entitlement-owner"}}
	people := []Person{person("user"), person("app-owner"), person("connector-owner"), person("entitlement-owner"), person("manager"), *subject,
		person("h", Helpdesk), person("c", ConnectorAdministrator), person("r", CampaignAdministrator), person("a", Auditor), person("s", SecurityOfficer), person("S", SuperAdministrator)}
	for _, tt := range []struct {
		name  string
		right Right
		want  string // ids of those who have it
	}{
		{"SeeAccess", SeeAccess, "app-owner a s S"},
		{"SeeAccessCounts", SeeAccessCounts, "app-owner connector-owner c a s S"},
		{"SeePeople", SeePeople, "manager subject a s S"},
		{"SeeConnectors", SeeConnectors, "app-owner connector-owner c a s S"},
		{"SeeRawFiles", SeeRawFiles, "app-owner a s S"},
		{"SeeAudit", SeeAudit, "app-owner subject a s S"},
		{"SeeSettings", SeeSettings, "a s S"},
		{"AddConnectors", AddConnectors, "c S"},
		{"ConfigureConnectors", ConfigureConnectors, "app-owner connector-owner c S"},
		{"JudgeHeldSyncs", JudgeHeldSyncs, "app-owner c S"},
		{"ConfigureApps", ConfigureApps, "app-owner S"},
		{"ManagePeople", ManagePeople, "S"},
		{"ManageWebhooks", ManageWebhooks, "S"},
		{"ManageSCIM", ManageSCIM, "S"},
		{"ConfigureSignIn", ConfigureSignIn, "S"},
		{"ChangeRoles", ChangeRoles, "S"},
		{"SeeRequests", SeeRequests, "app-owner a s S"},
		{"SeePolicies", SeePolicies, "app-owner r a s S"},
		{"Ask", Ask, "manager subject h S"},
		{"ChangeAccess", ChangeAccess, "app-owner s S"},
		{"RemoveAccess", RemoveAccess, "app-owner entitlement-owner manager s S"},
		{"SeeHolders", SeeHolders, "app-owner entitlement-owner a s S"},
		{"GiveBack", GiveBack, "manager subject"},
		{"CancelRequests", CancelRequests, "app-owner S"},
		{"ReviewEmergencies", ReviewEmergencies, "s S"},
		{"ManagePolicies", ManagePolicies, "S"},
		{"SecondChanges", SecondChanges, "app-owner s S"},
	} {
		var have []string
		for _, p := range people {
			if tt.right.Of(p, object) {
				have = append(have, string(p.ID))
			}
			err := tt.right.Check(p, object)
			if (err == nil) != tt.right.Of(p, object) {
				t.Errorf("%s of %s: %v", tt.name, p.ID, err)
			}
			if err != nil && (baton.KindOf(err) != baton.PermissionDenied || !strings.Contains(baton.FixOf(err), "Super Administrator") && len(tt.right.Roles) > 0) {
				t.Errorf("%s of %s: %v (%s)", tt.name, p.ID, err, baton.FixOf(err))
			}
			if owner := strings.HasSuffix(string(p.ID), "-owner") || p.ID == "manager" || p.ID == "subject"; owner && tt.right.Of(p, Object{}) {
				t.Errorf("%s of %s without an object", tt.name, p.ID)
			}
		}
		if got := strings.Join(have, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}

	merged := person("other-id")
	merged.MergedInto = "app-owner"
	if !SeeAccess.Of(merged, object) {
		t.Error("a merged person does not own what the person owns")
	}
	if err := ConfigureConnectors.Check(person("user"), object); baton.FixOf(err) !=
		"This needs the role Connector Administrator or Super Administrator, or to own the application or the connector." {
		t.Errorf("%v", baton.FixOf(err))
	}
}

func TestAttemptsWait(t *testing.T) {
	for failures, want := range map[int]string{0: "0s", 4: "0s", 5: "1s", 6: "2s", 8: "8s", 14: "8m32s", 15: "15m0s", 99: "15m0s"} {
		a := Attempts{Failures: failures, Last: noon}
		if got := a.NameOpens().Sub(noon).String(); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
	if a := (Attempts{Failures: 49, Last: noon}); a.AddressOpens() != noon {
		t.Error("an address waits after 49 failures")
	}
	if a := (Attempts{Failures: 50, Last: noon}); a.AddressOpens() == noon {
		t.Error("an address does not wait after 50 failures")
	}
}
