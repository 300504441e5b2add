package cli_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"baton"
	"baton/agent/cli"
	"baton/connector/rest"
)

// TestExitCodes pins the table: scripts depend on it.
func TestExitCodes(t *testing.T) {
	want := map[baton.Kind]int{
		baton.Canceled: 1, baton.Invalid: 3, baton.DeadlineExceeded: 4, baton.NotFound: 5, baton.AlreadyExists: 6,
		baton.PermissionDenied: 7, baton.Storage: 8, baton.Refused: 9, baton.Incomplete: 10, baton.Unsupported: 12,
		baton.Internal: 13, baton.Unavailable: 14, baton.RateLimited: 14, baton.Corrupt: 15, baton.Unauthenticated: 16,
	}
	rows := cli.ExitCodes()
	if len(rows) != len(want) || len(rows) != int(baton.DeadlineExceeded)+1 {
		t.Errorf("%d rows for %d kinds", len(rows), len(want))
	}
	for i, row := range rows {
		if row.Code != want[row.Kind] {
			t.Errorf("%s: %d in the table, want %d", row.Kind, row.Code, want[row.Kind])
		}
		if i > 0 && row.Code < rows[i-1].Code {
			t.Errorf("%s is out of order", row.Kind)
		}
		if got := failing(t, baton.Errorf(row.Kind, "it failed")); got.code != row.Code {
			t.Errorf("%s: exit code %d, want %d", row.Kind, got.code, row.Code)
		}
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"unclassified": {errors.New("what?"), 13},
		"wrapped":      {fmt.Errorf("sync: %w", baton.Errorf(baton.NotFound, "gone")), 5},
		"context":      {fmt.Errorf("sync: %w", context.DeadlineExceeded), 4},
		"none":         {nil, 0},
	} {
		if got := failing(t, c.err); got.code != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got.code, c.want)
		}
	}
}

func TestErrorsArePrintedOnce(t *testing.T) {
	two := failing(t, errors.Join(baton.Errorf(baton.Invalid, "url: bad").WithFix("fix the url"), baton.Errorf(baton.Invalid, "token: bad").WithFix("fix the token")))
	if want := "error: url: bad; token: bad\nfix: fix the url; fix the token\n"; two.stderr != want || two.code != 3 {
		t.Errorf("exit code %d, stderr %q", two.code, two.stderr)
	}
	out := failing(t, baton.Errorf(baton.NotFound, "perplexity: no group\n\x1b[2J").WithFix("look again"))
	if want := "error: perplexity: no group \\x1b[2J\nfix: look again\n"; out.stderr != want || out.stdout != "" {
		t.Errorf("stderr %q, stdout %q", out.stderr, out.stdout)
	}
}

// failing runs an action that ends with the error.
func failing(t *testing.T, err error) outcome {
	t.Helper()
	p := program()
	p.Open = func(baton.Values, rest.Options) (*baton.Connector, error) {
		c := describe(fake{})
		c.Actions[0].Run = func(context.Context, baton.ActionRequest) (baton.Outcome, error) { return baton.Outcome{}, err }
		return c, nil
	}
	return run(t, t.Context(), p, []string{"BATON_FAKE_URL=x", "BATON_FAKE_TOKEN=wrong-token", "BATON_LOG_FORMAT=console"},
		"--invoke-action", "poke_user", "--invoke-action-args", `{"user_id":"u1"}`)
}

func TestSecretsAreNotPrinted(t *testing.T) {
	const token = "hunter2\"hunter2"
	p := program()
	p.Open = func(v baton.Values, o rest.Options) (*baton.Connector, error) {
		o.Log.Warn("values", "all", v, "token", v.Secret("fake-token"), "leak", v.Secret("fake-token").Reveal())
		return nil, baton.Errorf(baton.Unauthenticated, "upstream said %s and %#v", v.Secret("fake-token").Reveal(), v)
	}
	for _, format := range []string{"json", "console"} {
		out := run(t, t.Context(), p, []string{"BATON_FAKE_URL=x", "BATON_FAKE_TOKEN=" + token, "BATON_LOG_FORMAT=" + format, "BATON_LOG_LEVEL=debug"})
		if out.code != 16 || strings.Contains(out.stderr+out.stdout, "hunter2") || !strings.Contains(out.stderr, "REDACTED") {
			t.Errorf("%s: exit code %d, %s", format, out.code, out.stderr)
		}
	}
}

// TestShortSecret: a secret that is too short to redact causes a warning, without its value.
func TestShortSecret(t *testing.T) {
	u := newUpstream()
	for _, tt := range []struct {
		token string
		warns bool
	}{{"tiny7", true}, {"tiny78", false}} {
		u.token = tt.token
		t.Chdir(t.TempDir())
		out := run(t, t.Context(), program(), append(serve(t, u), "BATON_LOG_FORMAT=console"))
		warned := strings.Contains(out.stderr, "BATON_FAKE_TOKEN has 5 characters")
		if out.code != 0 || warned != tt.warns || strings.Contains(out.stderr, tt.token) {
			t.Errorf("%d characters: exit code %d, %s", len(tt.token), out.code, out.stderr)
		}
	}
}
