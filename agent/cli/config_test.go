package cli_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"baton"
	"baton/connector/rest"

	"github.com/google/go-cmp/cmp"
)

// resolved returns the values that Open gets, or the printed error.
func resolved(t *testing.T, env []string, args ...string) (baton.Values, outcome) {
	t.Helper()
	p := program()
	var values baton.Values
	p.Open = func(v baton.Values, _ rest.Options) (*baton.Connector, error) {
		values = v
		return describe(fake{}), nil
	}
	p.Describe = func() *baton.Connector { c := describe(fake{}); c.Validate = nil; return c }
	env = append(env, "BATON_FAKE_URL=https://fake.example", "BATON_FAKE_TOKEN=secret-token", "BATON_LOG_FORMAT=console")
	out := run(t, t.Context(), p, env, append(args, "--invoke-action=poke_user", `--invoke-action-args={"user_id":"u1"}`)...)
	return values, out
}

// TestSameValueWhicheverWay: a flag, a variable and a line of YAML with the same text give the same value.
func TestSameValueWhicheverWay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("ab,\" '\\:#{}[]-&*!|>%@`~=$\tñ界1.0")
	text := func() string {
		r := make([]rune, 1+random.IntN(6))
		for i := range r {
			r[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(r)
	}
	// Texts that YAML would read as another type, or that confuse shells and CSV.
	texts := []string{"true", "no", "null", "~", "012", "1e3", "0x1F", "2024-01-02", " padded ", `"quoted"`, "a,b", "a, b", "- x", "k: v", "#c", "''"}
	for range 40 {
		texts = append(texts, text())
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	check := func(name string, want any, plain, yaml string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(name+": "+yaml+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		variable := "BATON_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		for way, give := range map[string]func() (baton.Values, outcome){
			"flag": func() (baton.Values, outcome) { return resolved(t, nil, "--"+name+"="+plain) },
			"env":  func() (baton.Values, outcome) { return resolved(t, []string{variable + "=" + plain}) },
			"YAML": func() (baton.Values, outcome) { return resolved(t, []string{"BATON_CONFIG_PATH=" + config}) },
		} {
			values, out := give()
			if out.code != 0 {
				t.Errorf("%s %s %q: exit code %d: %s", way, name, plain, out.code, out.stderr)
			} else if !reflect.DeepEqual(values[name], want) {
				t.Errorf("%s %s %q (YAML %s): got %#v, want %#v", way, name, plain, yaml, values[name], want)
			}
		}
	}
	for _, s := range texts {
		check("host-id", s, s, yamlQuote(s))
	}
	for i := 0; i < len(texts); i += 2 {
		items := texts[i : i+2]
		var plain, yaml []string
		for _, item := range items {
			plain = append(plain, `"`+strings.ReplaceAll(item, `"`, `""`)+`"`)
			yaml = append(yaml, yamlQuote(item))
		}
		check("teams", items, strings.Join(plain, " , "), "["+strings.Join(yaml, ", ")+"]")
		check("teams", items, strings.Join(plain, ","), yamlQuote(strings.Join(plain, ",")))
	}
	check("teams", []string{"a b", "c"}, "a b, c,", "[a b, c]")
	for _, n := range []int{1, 9} {
		check("depth", n, strconv.Itoa(n), strconv.Itoa(n))
	}
	for _, b := range []string{"true", "TRUE", "1", "t", "false", "0"} {
		want, _ := strconv.ParseBool(b)
		check("strict", want, b, b)
	}
	check("client-secret", baton.NewSecret("tok,en \"1\""), "tok,en \"1\"\n", `"tok,en \"1\"\n"`)
}

// yamlQuote writes a text in double quotes, in the form shared by YAML and JSON.
func yamlQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\n", `\n`).Replace(s) + `"`
}

func TestEmptyIsNotSet(t *testing.T) {
	values, out := resolved(t, []string{"BATON_DEPTH=", "BATON_TEAMS="}, "--depth=", "--host-id=")
	if out.code != 0 {
		t.Fatal(out.stderr)
	}
	got := baton.Values{"depth": values["depth"], "teams": values["teams"], "host-id": values["host-id"]}
	if diff := cmp.Diff(baton.Values{"depth": 3, "teams": []string(nil), "host-id": ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPrecedence(t *testing.T) {
	config := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(config, []byte("teams: [file]\nhost-id: file\ndepth: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	values, out := resolved(t, []string{"BATON_CONFIG_PATH=" + config, "BATON_TEAMS=env", "BATON_HOST_ID=env"}, "--teams", "flag,x", "--teams", "y")
	if out.code != 0 {
		t.Fatal(out.stderr)
	}
	got := fmt.Sprintf("%v %v %v %v", values["teams"], values["host-id"], values["depth"], values["task-concurrency"])
	if want := "[flag x y] env 7 3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSecretFiles(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("c2VjcmV0 \r\n")
	config := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(config, []byte("client-secret-file: "+good+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env, args []string
		want      string // "" for an error
	}{
		"flag":               {args: []string{"--client-secret-file", good}, want: "c2VjcmV0 "},
		"env":                {env: []string{"BATON_CLIENT_SECRET_FILE=" + good}, want: "c2VjcmV0 "},
		"YAML":               {env: []string{"BATON_CONFIG_PATH=" + config}, want: "c2VjcmV0 "},
		"env over YAML":      {env: []string{"BATON_CONFIG_PATH=" + config, "BATON_CLIENT_SECRET=x"}, want: "x"},
		"two lines":          {args: []string{"--client-secret-file", write("one\ntwo\n")}},
		"empty":              {args: []string{"--client-secret-file", write("\n")}},
		"huge":               {args: []string{"--client-secret-file", write(strings.Repeat("x", 70<<10))}},
		"missing":            {args: []string{"--client-secret-file", "/nonexistent"}},
		"value and file":     {env: []string{"BATON_CLIENT_SECRET=x"}, args: []string{"--client-secret-file", good}},
		"value has no lines": {env: []string{"BATON_CLIENT_SECRET=x\ny"}},
	} {
		t.Run(name, func(t *testing.T) {
			values, out := resolved(t, c.env, c.args...)
			switch {
			case c.want == "" && out.code != 3:
				t.Errorf("exit code %d: %s", out.code, out.stderr)
			case c.want != "" && values.Secret("client-secret").Reveal() != c.want:
				t.Errorf("got %q: %s", values.Secret("client-secret").Reveal(), out.stderr)
			}
		})
	}
}

// TestSecretFileThatIsMissing: if a secret file was named, the error is about the file and does not advise
// naming one.
func TestSecretFileThatIsMissing(t *testing.T) {
	out := run(t, t.Context(), program(), []string{"BATON_FAKE_TOKEN_FILE=/nonexistent/token", "BATON_FAKE_URL=https://x.example", "BATON_LOG_FORMAT=console"}, "doctor")
	if out.code != 3 || !strings.Contains(out.stderr, "BATON_FAKE_TOKEN_FILE: open /nonexistent/token") || strings.Contains(out.stderr, "fake-token is required") {
		t.Errorf("exit code %d: %s", out.code, out.stderr)
	}
}

func TestProblemsAreToldTogether(t *testing.T) {
	p := program()
	out := run(t, t.Context(), p, []string{"BATON_DEPTH=x", "BATON_STRICT=perhaps", `BATON_TEAMS="a`, "BATON_LOG_FORMAT=console"}, "doctor")
	if out.code != 3 {
		t.Errorf("exit code %d", out.code)
	}
	for _, want := range []string{`BATON_DEPTH: "x" is not a whole number`, `BATON_STRICT: "perhaps" is not true or false`,
		"BATON_TEAMS: a quote is not closed", "fake-token is required", "fake-url is required"} {
		if !strings.Contains(out.stderr, want) {
			t.Errorf("%q is missing in %s", want, out.stderr)
		}
	}
	if n := strings.Count(out.stderr, "\n"); n != 2 {
		t.Errorf("%d lines: %s", n, out.stderr)
	}
}
