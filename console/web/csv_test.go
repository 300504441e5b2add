package web

import (
	"crypto/sha256"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// TestCell checks that no text becomes a formula in a spreadsheet, and that other texts do not
// change.
func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ana": "Ana", "a=b": "a=b", "3-4": "3-4", "'x": "'x", "ana@example.com": "ana@example.com",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@sum": "'@sum", "\t=1": "'\ufffd=1", "\r=1": "'\ufffd=1", "\n=1": "'\ufffd=1",
		"  =1": "'  =1", "\u00a0=1": "'\u00a0=1", "＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠1": "'＠1", "|cmd": "'|cmd", "%0a": "'%0a",
	} {
		if got := cell(in); got != want {
			t.Errorf("cell(%q) = %q, want %q", in, got, want)
		}
	}
}

// rows parses a file for spreadsheets.
func (a answer) rows(t *testing.T, what string) [][]string {
	t.Helper()
	body, ok := strings.CutPrefix(a.body, "\ufeff")
	if a.status != 200 || !ok || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") || !strings.Contains(a.header.Get("Content-Disposition"), ".csv") {
		t.Fatalf("%s: %d %v %.200s", what, a.status, a.header, a.body)
	}
	all, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return all
}

// TestCSV exports the lists with the necessary rights, and checks the recorded events.
func TestCSV(t *testing.T) {
	f := withPeople(t)
	var member string
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:members:member")
		member = "/applications/" + string(f.app) + "/entitlements/" + strconv.FormatInt(int64(e.Key), 10)
		return err
	}))
	accounts, connector := "/applications/"+string(f.app)+"/accounts", "/connectors/"+string(f.connector)
	owner := f.as("owner")
	owner.get(accounts+"?search=ana").wants(t, "the page", 200, "Download as CSV", "format=csv")
	all := owner.get(accounts+"?format=csv").rows(t, "accounts")
	if len(all) != 63 || all[0][0] != "Account" { // 62 accounts and the header
		t.Errorf("accounts: %d rows, %q", len(all), all[0])
	}
	if some := owner.get(accounts+"?search=ana&format=csv").rows(t, "some accounts"); len(some) != 2 || some[1][0] != "Ana" {
		t.Errorf("accounts by a word: %q", some)
	}
	if none := owner.get(accounts+"?search=nobodyatall&format=csv").rows(t, "no account"); len(none) != 1 {
		t.Errorf("no account: %q", none)
	}
	owner.get(accounts+"?filter=nonsense&format=csv").wants(t, "an unknown filter", 400, "filter")
	if holders := owner.get(member+"?format=csv").rows(t, "holders"); len(holders) != 3 {
		t.Errorf("holders: %q", holders)
	}
	if syncs := owner.get(connector+"?format=csv").rows(t, "syncs"); len(syncs) != 2 || syncs[1][4] != string(console.SyncApplied) {
		t.Errorf("syncs: %q", syncs)
	}
	owner.get("/people?format=csv").wants(t, "people as an owner", 403, "Super Administrator")
	if people := f.as("auditor").get("/people?format=csv").rows(t, "people"); len(people) < len(roles)+1 {
		t.Errorf("people: %q", people)
	}
	// Connector administrators may see the list of syncs, but not export it.
	admin := f.as("connectors")
	if page := admin.get(connector); strings.Contains(page.body, "Download as CSV") {
		t.Error("a connector administrator is offered a file")
	}
	admin.get(connector+"?format=csv").wants(t, "syncs as a connector administrator", 403, "Auditor")

	var exports []store.Event
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
		for _, e := range events {
			if e.Kind == "list.exported" {
				exports = append(exports, e)
			}
		}
		return err
	}))
	if len(exports) != 6 || exports[1].Actor.Person() != f.people["owner"] || exports[1].App != f.app || exports[1].Object != "accounts" || !strings.Contains(string(exports[1].Data), "search=ana") {
		t.Errorf("what was written down: %d exports", len(exports))
	}
}

// TestDownloadSync compares the downloaded file with the stored one.
func TestDownloadSync(t *testing.T) {
	f := withPeople(t)
	var s console.Sync
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		syncs, err := tx.Syncs(f.connector, store.SyncBefore{}, 1)
		s = syncs[0]
		return err
	}))
	path := "/connectors/" + string(f.connector) + "/syncs/" + string(s.ID) + "/file"
	owner := f.as("owner")
	owner.get("/connectors/"+string(f.connector)).wants(t, "the page", 200, path, "Download the file")
	got := owner.get(path)
	if got.status != 200 || int64(len(got.body)) != s.Size || sha256.Sum256([]byte(got.body)) != [32]byte(s.SHA256) || !strings.Contains(got.header.Get("Content-Disposition"), ".c1z") {
		t.Errorf("%d, %d bytes of %d, %v", got.status, len(got.body), s.Size, got.header)
	}
	f.as("connectors").get(path).wants(t, "as a connector administrator", 403, "Auditor")
	f.as("user").get(path).wants(t, "as a user", 404)
	owner.get("/connectors/x/syncs/"+string(s.ID)+"/file").wants(t, "of another connector", 404)
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.EventsBefore(store.EventFilter{Object: string(s.ID)}, 0, 1)
		if len(events) != 1 || events[0].Kind != "sync.downloaded" || events[0].Actor.Person() != f.people["owner"] {
			t.Errorf("the event: %+v", events)
		}
		return err
	}))
}
