package paging_test

import (
	"strings"
	"testing"

	"baton"
	"baton/connector/paging"
)

func TestPosition(t *testing.T) {
	if s := (paging.Position{}).String(); s != "" {
		t.Errorf("the start is written %q", s)
	}
	if at, err := paging.ParsePosition(""); err != nil || at != (paging.Position{}) {
		t.Errorf("%+v, %v", at, err)
	}
	for _, s := range []string{"{", "7", "x", `{"unknown":1}`, `{"pages":-1}`, `{"received":1,"distinct":2}`, `{"pages":1} {}`,
		`{"received":99999999999999}`, `{"received":9223372036854775807}`, `{"total":-1}`, `{"cursor":7}`, `{"restarts":-1}`,
		`{"pages":9223372036854775807}`, `{"barren":9223372036854775807}`, `{"proof":1}`, `{"count":-1}`, `{"limit":-1}`, `{"good":9}`} {
		if _, err := paging.ParsePosition(s); baton.KindOf(err) != baton.Corrupt || !strings.Contains(err.Error(), "not a position") || baton.FixOf(err) == "" {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add(``)
	f.Add(`{"received":10,"distinct":9,"total":20,"first":"a","handle":"h","restarts":2}`)
	f.Add(`{"pages":3,"received":10,"distinct":9,"most":4,"aligned":true,"proof":9,"before":"b","last":"c","count":2,"good":3,"limit":50}`)
	f.Add(`{"received":-1}`)
	f.Add(`{"received":1,"distinct":2}`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := paging.ParsePosition(s)
		if err != nil {
			return
		}
		again, err := paging.ParsePosition(p.String())
		if err != nil || again != p {
			t.Errorf("%q becomes %q: %v", s, p, err)
		}
		// The position can be stored whatever the page says.
		server := paging.Server{Rows: 3, Start: "start"}
		for _, ids := range []string{"", "a", "ab", "abc", "bcx"} {
			page := paging.NewPage(p, nil)
			for _, id := range ids {
				page.Add(string(id))
			}
			if step, err := server.After(p, page); err == nil {
				if _, err := paging.ParsePosition(step.Next.String()); err != nil {
					t.Errorf("%s, and a page with %q: %s cannot be read", p, ids, step.Next)
				}
			}
		}
	})
}
