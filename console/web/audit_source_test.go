package web

import (
	"strings"
	"testing"

	"baton/console"
	"baton/console/store"
)

// TestAuditSource shows which program made a change, and finds the changes of one program.
func TestAuditSource(t *testing.T) {
	f := newFixture(t)
	f.addPerson("auditor", console.Auditor)
	auditor := f.as("auditor")
	f.check(f.store.Update(t.Context(), console.By{At: f.now, Actor: console.ByPerson(f.people["auditor"]), Source: "cone:task:approve"}, func(tx *store.Tx) error {
		tx.Append(console.Event{Kind: "request.approved", Object: "by-cone"})
		return nil
	}))
	auditor.get("/audit").wants(t, "all", 200, "by-cone", `href="/audit?source=cone%3atask%3aapprove"`)
	auditor.get("/audit?source=cone").wants(t, "of the program", 200, "by-cone", "Only one program", `name="source" value="cone"`)
	if page := auditor.get("/audit?source=terraform"); page.status != 200 || strings.Contains(page.body, "by-cone") {
		t.Errorf("another program has its event: %d", page.status)
	}
}
