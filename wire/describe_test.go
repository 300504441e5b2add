package wire_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/wire"
)

// recorded is the directory beside the repository that holds what the official
// programs print; tests that compare with it skip where it is absent.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "shared", "recorded", name))
	if err != nil {
		t.Skip(err)
	}
	return b
}

var courses = []baton.ResourceType{ // in the wrong order
	{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true},
	{ID: "course", DisplayName: "course"},
}

func TestCapabilitiesAsRecorded(t *testing.T) {
	got, err := wire.Capabilities(&baton.Connector{ResourceTypes: courses})
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.TrimRight(recorded(t, "percipio-capabilities.json"), "\n")
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCapabilities(t *testing.T) {
	c := &baton.Connector{
		ResourceTypes: []baton.ResourceType{
			{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true, Provision: true},
			{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}, Provision: true},
			{ID: "seat"},
		},
		Get:     func(context.Context, baton.ResourceID, baton.Page) error { return nil },
		Grant:   func(context.Context, baton.GrantRequest) (baton.Outcome, error) { return baton.Outcome{}, nil },
		Account: &baton.AccountCreation{ResourceType: "user"},
		Actions: []baton.Action{{Name: "enable_user"}},
	}
	got, err := wire.Capabilities(c)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "capabilities.json", got)
}

func TestConfigurationAsRecorded(t *testing.T) {
	ops := []baton.Setting{
		{Name: "log-level", Description: "The log level: debug, info, warn, error", Default: "info"},
		{Name: "log-level-debug-expires-at", Description: "The timestamp indicating when debug-level logging should expire"},
		{Name: "session-store-maximum-size", Kind: baton.IntSetting, Default: 15728640,
			Description: "The maximum size of the local in-memory session store cache in bytes."},
		{Name: "otel-collector-endpoint", Description: "The endpoint of the OpenTelemetry collector to send observability data to (used for both tracing and logging if specific endpoints are not provided)"},
		{Name: "otel-collector-endpoint-tls-cert-path", Description: "Path to a file containing a PEM-encoded certificate to use as a CA for TLS connections to the OpenTelemetry collector"},
		{Name: "otel-collector-endpoint-tls-cert", Description: "A PEM-encoded certificate to use as a CA for TLS connections to the OpenTelemetry collector"},
		{Name: "otel-collector-endpoint-tls-insecure", Kind: baton.BoolSetting, Description: "Allow insecure connections to the OpenTelemetry collector"},
		{Name: "otel-tracing-disabled", Kind: baton.BoolSetting, Description: "Disable OpenTelemetry tracing"},
		{Name: "otel-logging-disabled", Kind: baton.BoolSetting, Description: "Disable OpenTelemetry logging"},
		{Name: "health-check", Kind: baton.BoolSetting, Description: "Enable the HTTP health check endpoint"},
		{Name: "health-check-port", Kind: baton.IntSetting, Default: 8081, Description: "Port for the HTTP health check endpoint"},
		{Name: "health-check-bind-address", Default: "127.0.0.1", Description: "Bind address for health check server (127.0.0.1 for localhost-only)"},
		{Name: "http-timeout-seconds", Kind: baton.IntSetting, Default: 300, Min: 1, Max: 1800, Description: "HTTP client timeout in seconds (max 1800)"},
	}
	settings := []baton.Setting{
		{Name: "api-token", Kind: baton.SecretSetting, Required: true, Description: "The Percipio Bearer Token"},
		{Name: "organization-id", Required: true, Description: "The Percipio Organization ID"},
		{Name: "limited-courses", Kind: baton.StringsSetting, Description: "Limit imported courses to a specific list by Course ID"},
	}
	got, err := wire.Configuration("", "", ops, settings)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.TrimRight(recorded(t, "percipio-config.json"), "\n")
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfiguration(t *testing.T) {
	got, err := wire.Configuration("Perplexity", "https://example.com/help",
		[]baton.Setting{{Name: "log-level", Default: "info"}, {Name: "hidden", Advanced: true}},
		[]baton.Setting{
			{Name: "token", DisplayName: "Token", Kind: baton.SecretSetting, Required: true, Placeholder: "pplx-…"},
			{Name: "min", DisplayName: "Min", Kind: baton.IntSetting, Required: true, Default: 1, Min: 0, Max: 9},
			{Name: "names", Kind: baton.StringsSetting, Required: true, Default: []string{"<a>", "b"}},
			{Name: "on", Kind: baton.BoolSetting, Default: true},
			{Name: "tuning", Advanced: true},
		})
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "config.json", got)

	_, err = wire.Configuration("", "", nil, []baton.Setting{{Name: "odd", Kind: 99}})
	if baton.KindOf(err) != baton.Invalid {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestActionSchemas(t *testing.T) {
	got, err := wire.ActionSchemas([]baton.Action{{
		Name: "disable_user", DisplayName: "Disable user", Description: "Takes access away.",
		Types: []baton.ActionType{baton.ActionAccount, baton.ActionAccountDisable},
		Arguments: []baton.Field{
			{Name: "user_id", DisplayName: "User", Description: "Which account", Placeholder: "u1", Required: true},
			{Name: "force", Kind: baton.BoolField}, {Name: "count", Kind: baton.IntField}, {Name: "notes", Kind: baton.StringsField},
		},
		Returns: []baton.Field{{Name: "success", DisplayName: "Success", Kind: baton.BoolField}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "actions.json", got)

	if none, err := wire.ActionSchemas(nil); err != nil || string(none) != "{}" {
		t.Errorf("no actions: %s, %v", none, err)
	}
	_, err = wire.ActionSchemas([]baton.Action{{Name: "a", Returns: []baton.Field{{Kind: 99}}}})
	if baton.KindOf(err) != baton.Invalid {
		t.Errorf("unknown kind: %v", err)
	}
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("%v; got:\n%s", err, got)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
