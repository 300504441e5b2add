package web

import (
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/config"
	"baton/console/store"
)

// TestConfigurationPage applies files, changes what they describe by hand, and looks at what differs.
func TestConfigurationPage(t *testing.T) {
	f := withPeople(t)
	super := f.as("super")
	super.get("/settings/configuration").wants(t, "at first", 200, "No files were applied yet")
	super.get("/settings/retention").wants(t, "not managed", 200)
	file, err := config.Reader{MinInterval: time.Minute}.Read([]console.ConfigurationFile{{Name: "console.yaml", Text: "retention: {task_days: 90}\npolicies: [{name: Two <eyes>, rules: [{outcome: approve}]}]\n"}})
	f.check(err)
	_, _, err = file.Apply(t.Context(), f.store, console.By{At: f.now, Actor: console.ByPerson(f.people["super"])}, config.Options{Source: "git"})
	f.check(err)
	super.get("/settings/configuration").wants(t, "applied", 200, "Files “git”", "As the files say", "<dt>Objects</dt><dd>2</dd>")
	super.get("/settings/retention").wants(t, "managed", 200, "Managed by files (git): a change here will show as drift")
	if r := super.get("/settings/mail"); strings.Contains(r.body, "Managed by files") {
		t.Error("the mail server is not managed")
	}
	f.now = f.now.Add(time.Minute)
	f.check(f.store.Update(t.Context(), console.By{At: f.now, Actor: console.ByPerson(f.people["super"])}, func(tx *store.Tx) error {
		r, err := tx.Retention()
		r.TaskDays = 30
		if err == nil {
			err = tx.SetRetention(r, "by hand")
		}
		return err
	}))
	f.as("auditor").get("/settings/configuration").wants(t, "with drift", 200, "What differs since", "task_days", `data-label="In the files">90<`, `data-label="In the console">30<`, "by super", "console.yaml: line 1")
	r := super.get("/settings/configuration/export")
	if r.status != 200 || !strings.Contains(r.body, "task_days: 30") || !strings.Contains(r.body, "Two <eyes>") {
		t.Errorf("export: %d %s", r.status, r.body)
	}
}
