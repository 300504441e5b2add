package web

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// upload sends a file as a form does.
func (b *browser) upload(path, name string, content []byte) answer {
	b.f.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	b.f.check(err)
	part.Write(content)
	b.f.check(form.Close())
	r, err := http.NewRequest(http.MethodPost, b.f.server.URL+path, &body)
	b.f.check(err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

// apply applies the syncs that wait for it.
func (f *fixture) apply() {
	f.t.Helper()
	due, err := f.store.Claim(f.t.Context(), f.now, console.DueIngest, "test", time.Minute, 10)
	f.check(err)
	for _, d := range due {
		_, err := f.ingester.Apply(f.t.Context(), console.Console, console.ID(d.Ref))
		f.check(err)
		f.update(func(tx *store.Tx) error { return tx.FinishDue(d) })
	}
}

// TestUpload uploads files: beside a connector that syncs by itself, a second person confirms them;
// an older one is not applied; other files are refused with an explanation.
func TestUpload(t *testing.T) {
	f := withPeople(t)
	b := f.as("owner")
	base := "/connectors/" + string(f.connector)
	form := b.get(b.get(base).link(t, "Upload a file"))
	form.wants(t, "the form", 200, "by hand", "second person confirms it", `enctype="multipart/form-data"`)
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		f.check(err)
		return content
	}
	now := f.now
	f.now = now.Add(-24 * time.Hour)
	old := read(f.file(60))
	f.now = now.Add(time.Hour)
	newer := read(f.file(61))

	b = f.as("owner")
	path := base + "/upload"
	b.upload(path, "", nil).wants(t, "no file", 400, "No file was chosen.")
	b.upload(path, "sync.c1z", []byte("<script>alert(1)</script>")).wants(t, "no sync file", 400, "The file is refused:", "Choose another file.")
	b.upload(path, "sync.c1z", newer[:len(newer)/2]).wants(t, "half of a file", 400, "The file is refused:")
	b.upload(path, "sync.c1z", old).wants(t, "an older file", 409, "The sync in the file began on", "is kept and not applied")
	b.get(base).wants(t, "the syncs", 200, "Superseded", "a sync that began later is applied already", "Refused", "by hand")
	if r := b.upload(path, "sync.c1z", newer); r.location != base {
		t.Fatalf("a newer file: %d %s", r.status, r.body)
	}
	f.apply()
	held := b.get(base)
	held.wants(t, "held", 200, "A second person must confirm it.", "Apply it anyway")
	judge := strings.Split(strings.SplitAfter(held.body, `action="`+base+`/syncs/`)[1], `"`)[0]
	judge = base + "/syncs/" + judge
	b.post(judge, map[string][]string{"decision": {"apply"}, "why": {"it is mine"}}).wants(t, "the same person confirms", 409, "Let another person confirm it.")
	other := f.as("super")
	if r := other.post(judge, map[string][]string{"decision": {"apply"}, "why": {"I looked at it"}}); r.location != base {
		t.Fatalf("another person: %d %s", r.status, r.body)
	}
	f.apply()
	b.get(base).wants(t, "applied", 200, "Applied", "by hand")
	b.get("/applications/"+string(f.app)).wants(t, "the application", 200, "By hand")
	entitlements := b.get("/applications/" + string(f.app) + "/entitlements")
	b.get(entitlements.link(t, "PPLX_Admin member")).wants(t, "proof", 200, "(by hand)")

	// The rights are checked before the file is read.
	f.as("auditor").upload(path, "sync.c1z", newer).wants(t, "as an auditor", 403)
	f.as("user").upload(path, "sync.c1z", newer).wants(t, "as a user", 404)
}
