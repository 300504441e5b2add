package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"baton"
	"baton/internal/disk"
	"baton/internal/settings"
)

// configuration holds the resolved settings of a run.
type configuration struct{ settings.Resolved }

// settingsDirEnv names the folder with a file for each setting.
const settingsDirEnv = "BATON_SETTINGS_DIR"

var settingNames = settings.Names{Prefix: "BATON_", Others: []string{"BATON_CONFIG_PATH", settingsDirEnv}}

// envName returns the environment variable of an option.
func envName(option string) string { return settingNames.Variable(option) }

// known returns the options as package settings resolves them.
func known(all []option) []settings.Option {
	list := make([]settings.Option, len(all))
	for i, o := range all {
		list[i] = settings.Option{Setting: o.Setting, OneOf: o.OneOf, Env: o.Env, FileOf: o.FileOf}
	}
	return list
}

// resolve finds the value of every option.
func resolve(all []option, flags map[string][]string, env map[string]string, file map[string]settings.Given, bad *settings.Problems) configuration {
	return configuration{settingNames.Resolve(known(all), flags, env, file, bad)}
}

// fileValues returns the values of the configuration file. A file named by BATON_CONFIG_PATH
// must exist; .baton.yaml need not.
func fileValues(env map[string]string, all []option, bad *settings.Problems) map[string]settings.Given {
	candidates, required := []string{".baton.yaml", ".baton.yml"}, false
	if path := env["BATON_CONFIG_PATH"]; path != "" {
		if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
			bad.Add("", "BATON_CONFIG_PATH: %s does not end in .yaml or .yml", path)
			return nil
		}
		candidates, required = []string{path}, true
	}
	for _, path := range candidates {
		var found settings.Problems
		values, err := settings.File(path, known(all), &found)
		if errors.Is(err, fs.ErrNotExist) && !required {
			continue
		}
		if err != nil {
			bad.Add("", "%v", err)
			return nil
		}
		if !required && disk.Planted(path) {
			bad.Add("remove it, or set BATON_CONFIG_PATH to it to use it", "%s belongs to another user, in a folder that everybody can write to", path)
			return nil
		}
		bad.Texts, bad.Fixes = append(bad.Texts, found.Texts...), append(bad.Fixes, found.Fixes...)
		return values
	}
	return nil
}

// require adds the required settings that are missing to bad.
func (c configuration) require(p Program, bad *settings.Problems) {
	complete := true
	for _, s := range p.Settings {
		if !s.Required || c.Has(s.Name) {
			continue
		}
		if s.Kind == baton.SecretSetting && c.Has(s.Name+"-file") {
			complete = false
			continue // the problem with the file is in bad already
		}
		complete = false
		fix := fmt.Sprintf("set --%s or %s", s.Name, envName(s.Name))
		if s.Kind == baton.SecretSetting {
			fix = fmt.Sprintf("set %s, or --%s-file to a file that holds it", envName(s.Name), s.Name)
		}
		bad.Add(fix, "%s is required", s.Name)
	}
	if !complete && p.Sandbox != nil {
		bad.Fixes = append(bad.Fixes, fmt.Sprintf("or try it without an account: %s demo", p.Name))
	}
}
