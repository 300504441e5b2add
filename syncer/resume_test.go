package syncer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton"
	"baton/syncer"
)

// FuzzResume lays an interrupted sync beside the file, whatever it is. The next run
// refuses it with advice, drops it, or goes on with it; what it then writes is whole.
func FuzzResume(f *testing.F) {
	head := `{"Version":1,"Connector":"baton-test","Origin":"https://upstream.example","Types":null,"Resources":null,"SkipGrants":false,"SkipBoth":false,"SyncID":"2d59idiJblyjTYN6gSeESlyJKtz","Started":"2026-01-01T00:00:00Z"}`
	for _, seed := range []string{head, ``, `{`, `null`, `{"Version":2}`, `{"Version":1}`, strings.Replace(head, "2d59", "../x", 1), strings.Replace(head, "2026-01-01", "9999-01-01", 1), strings.Replace(head, "2026-", "0001-", 1)} {
		f.Add([]byte(seed), []byte(nil))
		f.Add([]byte(seed), []byte("PAGELOG1\xff\xff\xff\xff\x00\x00\x00\x00rx"))
	}
	f.Fuzz(func(t *testing.T, header, pages []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "sync.c1z")
		if err := os.Mkdir(path+".pages", 0o700); err != nil {
			t.Fatal(err)
		}
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
