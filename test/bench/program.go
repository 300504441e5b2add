package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"baton/test/bench/figures"
)

// program is a measured program.
type program struct {
	name, version string
	path          string
	args, env     []string
	file          string // that it must write
	previous      string // file that exists at the start; "" for none
	keep          string // where to move its file after the run; "" to remove it
	read          func(r *result, stdout, stderr string) error
}

// rounds returns the number of runs of the official connector. A run with a large organisation takes
// minutes.
func (p program) rounds(s size) int {
	switch s.name {
	case "large":
		return 1
	case "medium":
		return 3
	}
	return s.pairs
}

// environment returns the environment of all programs.
func environment() []string { return []string{"PATH=/usr/local/bin:/usr/bin:/bin"} }

// programs returns ours, the floor in its three modes, and the official connector if its path was
// given.
func (o options) programs(ctx context.Context, s size, u *upstream, dir string) ([]program, error) {
	ours := program{name: figures.Ours, path: filepath.Join(o.bin, s.connector), args: []string{"-f", "sync.c1z", "--log-format", "json"}, file: "sync.c1z", read: readOurs}
	for name, value := range u.settings {
		ours.env = append(ours.env, name+"="+value)
	}
	list := []program{ours}
	for name, mode := range map[string]string{figures.Fast: "fast", figures.Decode: "decode", figures.Discard: "discard"} {
		list = append(list, program{name: name, path: filepath.Join(o.bin, "floor"), args: append(floorArguments(s, u), "-mode", mode), read: readFloor})
	}
	order := map[string]int{figures.Ours: 0, figures.Fast: 1, figures.Decode: 2, figures.Discard: 3}
	sorted := make([]program, len(list))
	for _, p := range list {
		sorted[order[p.name]] = p
	}
	if path := o.officials[s.upstream]; path != "" {
		official, err := officialProgram(s, u, path, dir)
		if err != nil {
			return nil, err
		}
		sorted = append(sorted, official)
	}
	for i, p := range sorted {
		if p.name != figures.Ours && p.name != figures.Official {
			continue
		}
		out, err := exec.CommandContext(ctx, p.path, "--version").Output()
		if err != nil {
			return nil, fmt.Errorf("%s --version: %w", p.path, err)
		}
		sorted[i].version = strings.TrimSpace(string(out))
	}
	return sorted, nil
}

func floorArguments(s size, u *upstream) []string {
	if s.upstream == figures.Percipio {
		return []string{"-upstream", "percipio", "-url", u.settings["BATON_BASE_URL"], "-token", u.settings["BATON_API_TOKEN"], "-organization", u.settings["BATON_ORGANIZATION_ID"]}
	}
	return []string{"-upstream", "scim", "-url", u.settings["BATON_SCIM_URL"], "-token", u.settings["BATON_SCIM_TOKEN"]}
}

// officialProgram runs the official connector as documented, with the faster engine if it has two.
func officialProgram(s size, u *upstream, path, dir string) (program, error) {
	p := program{name: figures.Official, path: path, args: []string{"-f", "sync.c1z"}, file: "sync.c1z"}
	if s.upstream == figures.Percipio {
		p.args = append(p.args, "--storage-engine", "pebble", "--base-url", u.settings["BATON_BASE_URL"])
		p.env = []string{"BATON_API_TOKEN=" + u.settings["BATON_API_TOKEN"], "BATON_ORGANIZATION_ID=" + u.settings["BATON_ORGANIZATION_ID"]}
		return p, nil
	}
	if _, err := url.Parse(u.settings["BATON_SCIM_URL"]); err != nil {
		return p, err
	}
	provider := filepath.Join(dir, "provider.yaml")
	if err := os.WriteFile(provider, []byte(scimProvider(u.settings["BATON_SCIM_URL"])), 0o600); err != nil {
		return p, err
	}
	p.args = append(p.args, "--scim-config-file", provider)
	p.env = []string{"BATON_API_KEY=" + u.settings["BATON_SCIM_TOKEN"]}
	return p, nil
}

// scimProvider returns a provider file for the official SCIM connector: standard SCIM without roles.
func scimProvider(address string) string {
	return fmt.Sprintf(`apiEndpoint: %q
hasScimHeader: true
auth: {authType: apiKey, apiKeyPrefix: Bearer}
user:
  id: id
  userName: userName
  displayName: displayName
  firstName: name.givenName
  lastName: name.familyName
  primaryEmail: emails[?(@.primary==true)].value
  firstEmail: emails[0].value
  active: active
group:
  id: id
  displayName: displayName
  members: {path: members, id: value, displayName: display}
pagination: {totalResults: totalResults, itemsPerPage: itemsPerPage, startIndex: startIndex}
`, address)
}

// machine describes the machine of the measurement.
func machine() string {
	model := ""
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.Join(strings.Fields(value), " ")
				break
			}
		}
	}
	if model == "" {
		model = runtime.GOARCH
	}
	return fmt.Sprintf("%d × %s, %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
}
