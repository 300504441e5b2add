package main

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"baton/sandbox/percipio"
)

// TestOfficialConfigurationWorks: settings for the official connector, in a file and in the environment, work
// unchanged.
func TestOfficialConfigurationWorks(t *testing.T) {
	sandbox := percipio.New(percipio.Options{})
	server := httptest.NewServer(sandbox)
	defer server.Close()
	t.Chdir(t.TempDir())
	file := `# of the official connector
organization-id: ` + sandbox.OrganizationID() + `
limited-courses: []
file: out.c1z
log-level: warn
log-format: console
workers: 4
parallel-sync: true
http-timeout-seconds: 120
task-concurrency: 5
health-check: false
skip-full-sync: false
provisioning: true
ticketing: true
auth-method: bearer
keep-previous-sync-c1z: true
external-resource-c1z: other.c1z
otel-collector-endpoint: ""
sync-resource-types:
  - user
  - course
`
	if err := os.WriteFile(".baton.yaml", []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, []string{
		"BATON_API_TOKEN=" + sandbox.Token(), "BATON_BASE_URL=" + server.URL, "BATON_STORAGE_ENGINE=pebble",
		"BATON_KEEP_SYNC_COUNT=3", "BATON_DISABLE_HTTP_CACHE=true", "BATON_HTTP_CACHE_TTL=0", "BATON_GET_TASKS=false", "BATON_HOST_ID=pod-1",
		"BATON_DECODER_MAX_MEMORY_MB=512", "BATON_LOG_LEVEL_DEBUG_EXPIRES_AT=", "BATON_LIMITED_COURSES=",
	})
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if _, err := os.Stat("out.c1z"); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"(ticketing) changes nothing", "(auth-method) changes nothing",
		"(external-resource-c1z) changes nothing", "BATON_STORAGE_ENGINE changes nothing"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is missing in\n%s", want, stderr)
		}
	}
}
