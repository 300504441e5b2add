package evidence_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"baton/console"
	"baton/console/evidence/evidencetest"
)

// script returns the script of the page about the format, or skips the test.
func script(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"sh", "unzip", "openssl", "sha256sum", "awk", "sed", "sort", "comm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	if out, err := exec.Command("openssl", "version").Output(); err != nil || !strings.HasPrefix(string(out), "OpenSSL 3") {
		t.Skipf("the script needs openssl 3: %s", out)
	}
	page, err := os.ReadFile("../../docs/evidence-pack.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "```sh\n#!/bin/sh\n")
	text, _, closed := strings.Cut(text, "\n```\n")
	if !ok || !closed {
		t.Fatal("the page has no script")
	}
	path := filepath.Join(t.TempDir(), "verify.sh")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestScript verifies packs with the script of the page about the format, which uses standard tools
// only.
func TestScript(t *testing.T) {
	path := script(t)
	run := func(pack []byte, args ...string) (int, string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "pack.zip")
		if err := os.WriteFile(file, pack, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", append([]string{path, file}, args...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run() // the exit code is compared
		return cmd.ProcessState.ExitCode(), out.String()
	}
	m := made{N: 12, Erased: true}
	pack, _ := packOf(t, m)
	events := m.Chain()
	head := func(n int) string {
		e := events[n]
		b, err := json.Marshal(console.ChainHead{Epoch: e.Epoch, Number: e.Number, Hash: e.Hash, At: noon})
		file := filepath.Join(t.TempDir(), "head.json")
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if code, out := run(pack, fingerprint); code != 0 || !strings.Contains(out, "sound: 12 items, 11 decisions") || !strings.Contains(out, "item 1: erased") {
		t.Fatalf("a sound pack: %d\n%s", code, out)
	}
	if code, out := run(pack, fingerprint, head(len(events)-1)); code != 0 {
		t.Errorf("with a head: %d\n%s", code, out)
	}
	short, _ := packOf(t, evidencetest.CutOff{Made: m, First: len(events) - 1})
	for name, tt := range map[string]struct {
		pack []byte
		args []string
		want string
	}{
		"another key":              {pack, []string{"SHA256:" + strings.Repeat("AB", 32)}, "key.pem"},
		"an item":                  {bytes.Replace(pack, []byte(`"login":"ana7@`), []byte(`"login":"bob7@`), 1), []string{fingerprint}, "ZIP"},
		"events that were cut off": {short, []string{fingerprint, head(len(events) - 1)}, "the head is not in the chain"},
		"a decision of another item, signed": {signed(t, made{N: 12, Change: func(d *console.ReviewDecision) {
			if d.Item == 5 {
				d.Hash = console.Hash{1}
			}
		}}), []string{fingerprint}, "item 5"},
		"a decision after its submission, signed": {signed(t, later{made{N: 12}}), []string{fingerprint}, "the decisions of submission"},
	} {
		if code, out := run(tt.pack, tt.args...); code != 15 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %d, want 15 and %q\n%s", name, code, tt.want, out)
		}
	}
}
