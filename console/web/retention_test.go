package web

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// TestRetentionPage sets how long records are kept, and checks what pages of the past say once the
// history before them is gone: that it is unknown, and not that nobody had access.
func TestRetentionPage(t *testing.T) {
	f := withPeople(t)
	first := f.now
	account := "/applications/" + string(f.app) + "/accounts"
	super := f.as("super")
	super.get("/settings/retention").wants(t, "at first", 200, "complete, since the first sync", `name="files" value="10"`)
	form := url.Values{"files": {"5"}, "mails": {"14"}, "tasks": {""}, "history": {"29"}, "why": {"the law"}}
	super.post("/settings/retention", form).wants(t, "too short", 400, "29 days", `value="29"`, "the law")
	form.Set("history", "a month")
	super.post("/settings/retention", form).wants(t, "no number", 400, "is no number")
	form.Set("history", "30")
	form.Del("why")
	super.post("/settings/retention", form).wants(t, "without a reason", 400, "reason is missing")
	form.Set("why", "the law")
	if r := super.post("/settings/retention", form); r.status != 303 || r.location != "/settings/retention?saved=1" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	super.get("/settings/retention?saved=1").wants(t, "saved", 200, "Saved.", `name="files" value="5"`, `name="history" value="30"`)
	f.as("auditor").get("/settings/retention").wants(t, "as an auditor", 200, "30 days", "14 days", "for ever")
	f.now = f.now.Add(time.Hour)
	if r := super.post("/settings/retention", form); r.status != 303 || !strings.HasPrefix(r.location, "/confirm") {
		t.Errorf("with an old login: %d %s", r.status, r.location)
	}

	f.now = first.AddDate(0, 0, 10)
	f.members = []string{"ana"}
	f.sync()
	f.now = f.now.AddDate(0, 0, 40)
	super = f.as("super")
	early := "?at=" + url.QueryEscape(first.Add(time.Hour).UTC().Format("2006-01-02T15:04:05"))
	late := "?at=" + url.QueryEscape(first.AddDate(0, 0, 20).UTC().Format("2006-01-02T15:04:05"))
	super.get(account+early).wants(t, "while everything is kept", 200, "Ana")
	if _, err := f.store.ForgetHistory(t.Context(), console.By{At: f.now, Actor: console.Console}, f.connector, first.AddDate(0, 0, 15)); err != nil {
		t.Fatal(err)
	}
	var since time.Time
	f.check(f.store.View(t.Context(), func(tx *store.Tx) (err error) {
		since, err = tx.HistoryKept("")
		return err
	}))
	said := exact(since)
	for _, page := range []string{account, "/applications", "/applications/" + string(f.app), "/applications/" + string(f.app) + "/entitlements"} {
		super.get(page+early).wants(t, "before the horizon: "+page, 404, "unknown", "is kept since")
		super.get(page+late).wants(t, "since the horizon: "+page, 200, said)
		super.get(page).wants(t, "now: "+page, 200, said)
	}
	super.get("/changes").wants(t, "changes", 200, said)
	super.get("/settings/retention").wants(t, "the page", 200, said)
	if a := super.get("/connectors"); a.status != 200 || a.header.Get("Content-Type") == "" {
		t.Errorf("a page without history: %d", a.status)
	}
}
