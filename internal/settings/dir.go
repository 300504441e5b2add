package settings

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxSettingFile limits the value of a setting, in bytes.
const maxSettingFile = 64 << 10

// AddDir adds the settings in the folder that an environment variable names: one file for each setting, with
// the name of its variable, as Kubernetes mounts a Secret. Variables set in the environment itself take
// precedence. Files with other names are ignored.
func (n Names) AddDir(env map[string]string, variable string, bad *Problems) {
	dir := env[variable]
	if dir == "" {
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		bad.Add("name a folder that this user can read", "%s: %v", variable, err)
		return
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, n.Prefix) || name == variable || env[name] != "" {
			continue
		}
		value, err := readSetting(filepath.Join(dir, name))
		if err != nil {
			bad.Add("", "%s: %v", variable, err)
			continue
		}
		env[name] = value
	}
}

// readSetting reads the file of a setting, without one line ending, which editors leave
// behind.
func readSetting(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSettingFile+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxSettingFile:
		return "", fmt.Errorf("%s has more than %d bytes", path, maxSettingFile)
	case strings.ContainsRune(string(text), 0):
		return "", fmt.Errorf("%s is not text", path)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}
