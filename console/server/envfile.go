package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"baton"
	"baton/internal/disk"
)

// variables are the lines of an env file, in order.
type variables []variable

type variable struct{ name, value string }

func (v *variables) add(name, value string) { *v = append(*v, variable{name, value}) }

func (v variables) get(name string) string {
	for _, one := range v {
		if one.name == name {
			return one.value
		}
	}
	return ""
}

// write atomically writes a file that only this user can read.
func (v variables) write(path string) error {
	_, err := disk.Replace(disk.OS{}, path, func(w io.Writer) error {
		for _, one := range v {
			if _, err := fmt.Fprintf(w, "%s=%s\n", one.name, shellQuote(one.value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return baton.Errorf(baton.Storage, "the env file: %w", err).WithFix("Name a file in a folder that this user can write to, with --env-file.")
	}
	return nil
}

// readVariables reads an env file that write wrote. It ignores other lines and a missing file.
func readVariables(path string) (v variables, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "the env file: %w", err).WithFix("Let this user read %s, or name another file with --env-file.", path)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			v.add(name, shellUnquote(value))
		}
	}
	return v, nil
}

// checkEnvFile checks that the file can be written, before the server starts.
func checkEnvFile(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".env-")
	if err != nil {
		return baton.Errorf(baton.Storage, "the env file %s cannot be written: %w", path, err).WithFix("Name a file in a folder that this user can write to, with --env-file.")
	}
	f.Close()
	return os.Remove(f.Name())
}

// shellQuote quotes a value for a shell.
func shellQuote(value string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,", r)
	}
	if value != "" && !strings.ContainsFunc(value, func(r rune) bool { return !plain(r) }) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

func shellUnquote(text string) string {
	if len(text) >= 2 && text[0] == '\'' && text[len(text)-1] == '\'' {
		return strings.ReplaceAll(text[1:len(text)-1], `'\''`, "'")
	}
	return text
}
