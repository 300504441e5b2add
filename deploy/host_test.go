package deploy

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// compose is the part of a Compose file that ours uses. Merge keys are resolved before.
type compose struct {
	Name     string         `json:"name"`
	Hardened map[string]any `json:"x-hardened"`
	Console  map[string]any `json:"x-console"`
	Services map[string]struct {
		Profiles    []string          `json:"profiles"`
		Image       string            `json:"image"`
		User        string            `json:"user"`
		ReadOnly    bool              `json:"read_only"`
		CapDrop     []string          `json:"cap_drop"`
		SecurityOpt []string          `json:"security_opt"`
		PidsLimit   int               `json:"pids_limit"`
		MemLimit    string            `json:"mem_limit"`
		Restart     string            `json:"restart"`
		StopGrace   string            `json:"stop_grace_period"`
		EnvFile     string            `json:"env_file"`
		Environment map[string]string `json:"environment"`
		Secrets     []string          `json:"secrets"`
		Volumes     []string          `json:"volumes"`
		Command     []string          `json:"command"`
		Ports       []string          `json:"ports"`
		Networks    []string          `json:"networks"`
		DependsOn   []string          `json:"depends_on"`
		Logging     struct {
			Driver  string            `json:"driver"`
			Options map[string]string `json:"options"`
		} `json:"logging"`
		Healthcheck struct {
			Test        []string `json:"test"`
			Interval    string   `json:"interval"`
			Timeout     string   `json:"timeout"`
			StartPeriod string   `json:"start_period"`
			Retries     int      `json:"retries"`
		} `json:"healthcheck"`
	} `json:"services"`
	Secrets map[string]struct {
		File string `json:"file"`
	} `json:"secrets"`
	Volumes  map[string]struct{} `json:"volumes"`
	Networks map[string]struct {
		IPAM struct {
			Config []struct {
				Subnet string `json:"subnet"`
			} `json:"config"`
		} `json:"ipam"`
	} `json:"networks"`
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}`)

// interpolate replaces variables like Compose, in the forms that our file uses: with a default, or with a
// message if they are not set.
func interpolate(text string, vars map[string]string) (string, error) {
	var missing error
	text = variable.ReplaceAllStringFunc(text, func(v string) string {
		part := variable.FindStringSubmatch(v)
		switch value := vars[part[1]]; {
		case value != "":
			return value
		case part[2] == ":-":
			return part[3]
		case part[2] == ":?":
			missing = errors.New(part[3])
		}
		return ""
	})
	return text, missing
}

// TestCompose reads the Compose file strictly and compares it with the image and the settings.
func TestCompose(t *testing.T) {
	var c compose
	text := read(t, "compose/compose.yaml")
	if _, err := interpolate(text, nil); err == nil || !strings.Contains(err.Error(), "set REGISTRY to") {
		t.Errorf("without a registry: %v", err)
	}
	digest := "@sha256:" + strings.Repeat("0a", 32)
	text, err := interpolate(text, map[string]string{"REGISTRY": "registry.example:5000/team", "PERCIPIO_VERSION": digest})
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	if image := c.Services["percipio"].Image; image != "registry.example:5000/team/baton-percipio"+digest {
		t.Errorf("the digest gives %s", image)
	}
	if len(c.Services) != len(programs) {
		t.Errorf("%d services", len(c.Services))
	}
	for name, s := range c.Services {
		p, image := programs[name], dockerfile(t, "baton-"+name)
		if p == nil {
			t.Fatalf("there is no connector %s", name)
		}
		if s.User != image["USER"] || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.MemLimit == "" {
			t.Errorf("%s is not hardened: %+v", name, s)
		}
		checkImage(t, "compose", name, s.Image)
		if !slices.Equal(s.Profiles, []string{name}) {
			t.Errorf("%s: profiles %q", name, s.Profiles)
		}
		if want := `HEALTHCHECK ` + image["HEALTHCHECK"]; !strings.Contains(want, `["`+s.Healthcheck.Test[1]+`", "`+s.Healthcheck.Test[2]+`"]`) || s.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s: health check %q, but the image has %s", name, s.Healthcheck.Test, want)
		}
		if grace, err := strconv.Atoi(strings.TrimSuffix(s.StopGrace, "s")); err != nil || grace < p.grace+5+3 {
			t.Errorf("%s is killed after %s", name, s.StopGrace)
		}
		state := s.Environment["BATON_C1Z_TEMP_DIR"]
		if len(s.Volumes) != 1 || s.Volumes[0] != name+":"+state || state != image["VOLUME"] {
			t.Errorf("%s: state in %s, volumes %q", name, state, s.Volumes)
		}
		if _, ok := c.Volumes[name]; !ok {
			t.Errorf("there is no volume %s", name)
		}
		for key, value := range s.Environment {
			p.knows(t, "compose", key)
			if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok && !slices.Contains(s.Secrets, secret) {
				t.Errorf("%s: there is no secret for %s", name, key)
			}
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" {
				t.Errorf("%s: the secret %s is nowhere", name, secret)
			}
		}
	}
}

// unit returns a systemd unit: the values of each key, by section and key.
func unit(t *testing.T, name string) map[string][]string {
	t.Helper()
	values, section := map[string][]string{}, ""
	for lines := bufio.NewScanner(strings.NewReader(read(t, name))); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				t.Fatalf("%s: %q is no line of a unit", name, line)
			}
			values[section+" "+key] = append(values[section+" "+key], value)
		}
	}
	return values
}

// TestUnits reads the units and compares them with the settings.
func TestUnits(t *testing.T) {
	ports := map[string]string{}
	for name, p := range programs {
		u := unit(t, "systemd/baton-"+name+".service")
		env := map[string]string{}
		for _, v := range u["Service Environment"] {
			key, value, _ := strings.Cut(v, "=")
			p.knows(t, "unit", key)
			env[key] = value
		}
		for key, want := range map[string]string{"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "",
			"StateDirectory": "baton-" + name, "ExecStart": "/usr/local/bin/baton-" + name, "MemoryDenyWriteExecute": "yes"} {
			if got := u["Service "+key]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		if state := "/var/lib/baton-" + name; env["BATON_C1Z_TEMP_DIR"] != state || u["Service WorkingDirectory"][0] != state {
			t.Errorf("%s: state in %s", name, env["BATON_C1Z_TEMP_DIR"])
		}
		credentials := 0
		for _, v := range env {
			if file, ok := strings.CutPrefix(v, "%d/"); ok {
				credentials++
				if !slices.ContainsFunc(u["Service LoadCredential"], func(l string) bool { return strings.HasPrefix(l, file+":/etc/baton/") }) {
					t.Errorf("%s: nobody loads %s", name, v)
				}
			}
		}
		if credentials != 2 {
			t.Errorf("%s: %d credentials", name, credentials)
		}
		if stop, _ := strconv.Atoi(u["Service TimeoutStopSec"][0]); stop < p.grace+5+3 {
			t.Errorf("%s is killed after %d seconds", name, stop)
		}
		if port := env["BATON_HEALTH_CHECK_PORT"]; ports[port] != "" {
			t.Errorf("%s and %s both want port %s", name, ports[port], port)
		} else {
			ports[port] = name
		}
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for .*: ([0-9.]+) `)

// TestSystemdAgrees checks the units with systemd itself. It may only complain that the binary is not
// installed.
func TestSystemdAgrees(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	for _, name := range []string{"perplexity", "percipio", "console"} {
		file, err := filepath.Abs("systemd/baton-" + name + ".service")
		if err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "baton-"+name+".service:") && !strings.Contains(line, "is not executable: No such file or directory") {
				t.Errorf("%s", line)
			}
		}
		out, err = exec.Command(analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
		found := exposure.FindSubmatch(out)
		if found == nil {
			t.Skipf("this systemd does not judge a file (%v): %s", err, out)
		}
		if level, _ := strconv.ParseFloat(string(found[1]), 64); level > 1.5 {
			t.Errorf("baton-%s is exposed: %v of 10", name, level)
		}
	}
}

// TestNoSecretsLieHere: git ignores secrets that somebody tries out here.
func TestNoSecretsLieHere(t *testing.T) {
	ignored, err := os.ReadFile("../.gitignore")
	if err != nil || !strings.Contains(string(ignored), "/deploy/compose/secrets/") {
		t.Errorf("the secrets of the compose file are not ignored by git (%v)", err)
	}
}
