package web

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// since returns the events after a number.
func (f *fixture) since(number int64) (events []store.Event) {
	f.t.Helper()
	f.check(f.store.View(f.t.Context(), func(tx *store.Tx) (err error) {
		events, err = tx.Events(store.EventFilter{}, number, store.PageSize)
		return err
	}))
	return events
}

func (f *fixture) lastEvent() (n int64) {
	f.t.Helper()
	f.check(f.store.View(f.t.Context(), func(tx *store.Tx) error {
		h, err := tx.ChainHead()
		n = h.Number
		return err
	}))
	return n
}

// TestDownloadsAreEvents opens every page, also as a file for spreadsheets. Whatever is no page and
// no stream of one is a download, and each has written one event by the person who has it.
func TestDownloadsAreEvents(t *testing.T) {
	f := withPeople(t)
	var account, entitlement, sync string
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "ana")
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:members:member")
		if err != nil {
			return err
		}
		syncs, err := tx.Syncs(f.connector, store.SyncBefore{}, 1)
		account, entitlement, sync = fmt.Sprint(a.Key), fmt.Sprint(e.Key), string(syncs[0].ID)
		return err
	}))
	asked := f.asks("user")
	fill := strings.NewReplacer("{campaign}", string(f.addCampaign()), "{item}", "1", "{token}", "x", "{$}", "", "{app}", string(f.app), "{account}", account, "{entitlement}", entitlement, "{product}", "perplexity",
		"{connector}", string(f.connector), "{sync}", sync, "{operation}", "x", "{action}", "x", "{provider}", "x", "{request}", string(asked.ID), "{number}", "1",
		"{policy}", "standard", "{person}", string(f.people["user"]))
	super := f.as("super")
	f.check(f.store.Update(t.Context(), console.By{At: f.now, Actor: console.Console}, func(tx *store.Tx) error {
		_, err := tx.SigningKey() // its making is an event of its own
		return err
	}))
	want := map[string]string{
		"GET /applications/{app}/accounts?format=csv":                   "list.exported",
		"GET /applications/{app}/entitlements/{entitlement}?format=csv": "list.exported",
		"GET /connectors/{connector}?format=csv":                        "list.exported",
		"GET /people?format=csv":                                        "list.exported",
		"GET /connectors/{connector}/syncs/{sync}/file":                 "sync.downloaded",
		"GET /connectors/{connector}/syncs/{sync}/file?format=csv":      "sync.downloaded",
		"GET /campaigns/{campaign}/items?format=csv":                    "list.exported",
		"GET /campaigns/{campaign}/pack":                                "campaign.exported",
		"GET /campaigns/{campaign}/pack?format=csv":                     "campaign.exported",
		"GET /audit/export":                                             "audit.exported",
		"GET /audit/export?format=csv":                                  "audit.exported",
		"GET /settings/configuration/export":                            "configuration.exported",
		"GET /settings/configuration/export?format=csv":                 "configuration.exported",
		"GET /audit/head":                                               "audit.head-downloaded",
		"GET /audit/report":                                             "audit.reported",
		"GET /audit/report?format=csv":                                  "audit.reported",
		"GET /audit/head?format=csv":                                    "audit.head-downloaded",
	}
	got := map[string]string{}
	for _, r := range routes {
		path, isGet := strings.CutPrefix(r.pattern, "GET ")
		if !isGet || strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, "/live/") {
			continue
		}
		for _, query := range []string{"", "?format=csv"} {
			before := f.lastEvent()
			a := super.get(fill.Replace(path) + query)
			page := strings.HasPrefix(a.header.Get("Content-Type"), "text/html") && a.header.Get("Content-Disposition") == ""
			if page || a.status != 200 {
				continue
			}
			events := f.since(before)
			if len(events) != 1 || events[0].Actor.Person() != f.people["super"] {
				t.Errorf("%s%s is a download, and wrote %d events", r.pattern, query, len(events))
				continue
			}
			got[r.pattern+query] = events[0].Kind
		}
	}
	for route, kind := range want {
		if got[route] != kind {
			t.Errorf("%s wrote %q, want %q", route, got[route], kind)
		}
	}
	for route, kind := range got {
		if want[route] == "" {
			t.Errorf("%s is a download (%s) that this test does not know", route, kind)
		}
	}
}

// shownSecrets finds what pages show once.
var shownSecrets = regexp.MustCompile(`(?:(?:Client secret|Password|one-time codes)</dt><dd><code class="key">|/invitation/)([^<"]+)`)

// TestSecretsShownAreEvents makes everything that is shown once, and checks that the log says who
// has seen it, and does not say it.
func TestSecretsShownAreEvents(t *testing.T) {
	f := withPeople(t)
	victim := string(f.addPerson("victim"))
	super := f.as("super")
	for _, tt := range []struct {
		path string
		form url.Values
		kind string
	}{
		{"/connectors/" + string(f.connector) + "/rotate", nil, "credential.added"},
		{"/credentials", url.Values{"name": {"laptop"}, "scope": {"read"}, "days": {"30"}}, "client.added"},
		{"/settings/api-credentials", url.Values{"name": {"robot"}, "scope": {"read"}, "days": {"30"}}, "client.added"},
		{"/settings/sign-in/break-glass", nil, "login.set"},
		{"/people/" + victim + "/invite", url.Values{"how": {"show"}}, "login.invited"},
	} {
		before := f.lastEvent()
		a := super.post(tt.path, tt.form)
		a.wants(t, tt.path, 200)
		events := f.since(before)
		if !slices.ContainsFunc(events, func(e store.Event) bool { return e.Kind == tt.kind && e.Actor == console.ByPerson(f.people["super"]) }) {
			t.Errorf("%s wrote no %s: %d events", tt.path, tt.kind, len(events))
		}
		secrets := shownSecrets.FindAllStringSubmatch(a.body, -1)
		if len(secrets) == 0 {
			t.Errorf("%s shows nothing: %s", tt.path, a.body)
		}
		for _, e := range events {
			for _, s := range secrets {
				if strings.Contains(string(e.Payload), s[1]) {
					t.Errorf("%s: the event %s holds what was shown", tt.path, e.Kind)
				}
			}
		}
	}
}
