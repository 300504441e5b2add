package syncer_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton"
	"baton/agent/syncer"
)

// FuzzResume puts arbitrary data in place of an interrupted sync. The next run refuses it with advice, drops
// it, or resumes it; the file that it then writes is complete.
func FuzzResume(f *testing.F) {
	version := fmt.Sprintf(`{"Version":%d`, syncer.HeaderVersion)
	head := version + `,"Connector":"baton-test","Origin":"https://upstream.example","Types":null,"Resources":null,"SkipGrants":false,"SkipBoth":false,"SyncID":"2d59idiJblyjTYN6gSeESlyJKtz","Started":"2026-01-01T00:00:00Z"}`
	for _, seed := range []string{head, ``, `{`, `null`, version + `}`, `{"Version":1}`, strings.Replace(head, "2d59", "../x", 1), strings.Replace(head, "2026-01-01", "9999-01-01", 1), strings.Replace(head, "2026-", "0001-", 1)} {
		f.Add([]byte(seed), []byte(nil))
		f.Add([]byte(seed), []byte("PAGELOG1\xff\xff\xff\xff\x00\x00\x00\x00rx"))
	}
	f.Fuzz(func(t *testing.T, header, pages []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "sync.c1z")
		if err := os.Mkdir(path+".pages", 0o700); err != nil {
			t.Fatal(err)
		}
		// Set the right checksum, so that the fields after it are tested.
		header = checked(header)
		for name, content := range map[string][]byte{"header": header, "users.pages": pages, "groups.pages": pages} {
			if err := os.WriteFile(filepath.Join(path+".pages", name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		res, err := syncer.Run(t.Context(), syncer.Config{Connector: tenant(), Path: path})
		switch {
		case err == nil:
			if got := counts(res); got != "[{user 3 0 0} {group 2 2 3}]" {
				t.Errorf("counts %s after resuming %q", got, header)
			}
		case baton.KindOf(err) != baton.Corrupt || baton.FixOf(err) == "":
			t.Errorf("%v: %v (fix: %s)", baton.KindOf(err), err, baton.FixOf(err))
		default:
			if err := syncer.Discard(path, ""); err != nil {
				t.Errorf("it cannot be dropped: %v", err)
			}
		}
	})
}

// checked returns the line with its checksum.
func checked(line []byte) []byte {
	return fmt.Appendf(bytes.Clone(line), "\n%08x\n", crc32.Checksum(line, crc32.MakeTable(crc32.Castagnoli)))
}

// TestDamagedHeader flips a bit in each byte of the header. A damaged sync id used to be found only at the
// end of the read, when the sync could not be sealed.
func TestDamagedHeader(t *testing.T) {
	path := file(t)
	interrupt(t, path)
	name := filepath.Join(path+".pages", "header")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := syncer.Run(t.Context(), syncer.Config{Connector: tenant(), Path: path})
		if err == nil || baton.KindOf(err) != baton.Corrupt || !strings.Contains(baton.FixOf(err), "--fresh") {
			t.Errorf("byte %d, %q: %v (%v, fix %q)", at, b, err, baton.KindOf(err), baton.FixOf(err))
		}
	}
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if res := run(t, syncer.Config{Connector: tenant(), Path: path}); !res.Resumed {
		t.Error("it was not resumed")
	}
}
