package scim_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/connector/scim"
)

// assembled collects a page of groups whose members come one by one.
type assembled struct {
	groups  []referenceGroup
	pending []scim.Member
	voided  int
}

func (a *assembled) sink(t testing.TB) scim.GroupSink {
	if t != nil {
		t.Helper()
	}
	return scim.GroupSink{
		Sink: paging.Sink[scim.Group]{
			Row: func(g scim.Group) {
				if g.Members.Entries() > 0 {
					t.Errorf("group %s has %d members left", g.ID, g.Members.Entries())
				}
				a.groups = append(a.groups, referenceGroup{g, a.pending})
				a.pending = nil
			},
			Void: func() { a.groups, a.pending, a.voided = nil, nil, a.voided+1 },
		},
		Member: func(g *scim.Group, m scim.Member) {
			if g.ID == "" || g.Label() == "" {
				t.Error("a member of nobody")
			}
			m.Value, m.Detail = strings.Clone(m.Value), strings.Clone(m.Detail)
			a.pending = append(a.pending, m)
		},
	}
}

// TestMembersOneByOne: wherever a group lists its members, and however often it repeats its name, they arrive
// as if the group had been read at once.
func TestMembersOneByOne(t *testing.T) {
	for name, tt := range map[string]struct {
		rows     string
		requests int // 0 means 1
	}{
		"members last":                   {rows: `{"id":"g1","displayName":"One","members":[{"value":"u1"},{"value":"u2","type":"Group"}]}`},
		"members first":                  {rows: `{"members":[{"value":"u1"},"u2"],"id":"g1","displayName":"One"}`},
		"members between":                {rows: `{"id":"g1","members":[{"value":"u1"}],"displayName":"One"}`},
		"members before the external id": {rows: `{"id":"g1","members":["u1"],"externalId":"e"}`},
		"members twice":                  {rows: `{"id":"g1","displayName":"One","members":["u1"],"members":null,"Members":["u2"]}`},
		"members on both sides":          {rows: `{"members":["u1"],"id":"g1","displayName":"One","members":["u2"]}`},
		"name blank, then set":           {rows: `{"id":"g1","displayName":" ","members":["u1"],"displayName":"One"}`},
		"same name twice":                {rows: `{"id":"g1","displayName":"One","members":["u1"],"displayName":"One","id":"g1"}`},
		"another name afterwards":        {rows: `{"id":"g1","displayName":"One","members":["u1"],"displayName":"Two"}`, requests: 2},
		"another id afterwards":          {rows: `{"id":"g1","displayName":"One","members":["u1"]},{"id":"g2","displayName":"Two","members":["u2"],"id":"g3"}`, requests: 2},
		"the same group again":           {rows: `{"id":"g1","displayName":"One","members":["u1"]},{"id":"g1","displayName":"One","members":["u2"]}`},
		"the same, members first":        {rows: `{"id":"g1","displayName":"One","members":["u1"]},{"members":["u2"],"id":"g1","displayName":"One"}`},
		"absent, null, empty": {rows: `{"id":"g1","displayName":"1"},{"id":"g2","displayName":"2","members":null},{"id":"g3","displayName":"3","members":[]},
			{"id":"g4","displayName":"4","members":[null]},{"members":{"value":"u1"},"id":"g5","displayName":"5"}`},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, r *http.Request) {
				requests++
				reply(w, 200, `{"totalResults":9,"Resources":[`+tt.rows+`]}`)
			}), 100)
			body := `{"totalResults":9,"Resources":[` + tt.rows + `]}`
			want, _, _ := referenceList([]byte(body), decodeGroup)
			var got assembled
			_, err := c.ListGroups(t.Context(), paging.Position{}, got.sink(t))
			anyOrder := cmpopts.SortSlices(func(a, b scim.Member) bool { return a.Value < b.Value })
			if diff := cmp.Diff(want, got.groups, anyOrder); diff != "" || err != nil {
				t.Errorf("%v (-at once +one by one):\n%s", err, diff)
			}
			if requests != max(1, tt.requests) || got.voided != requests-1 {
				t.Errorf("%d requests, %d times void", requests, got.voided)
			}
		})
	}
}

// TestMembersOfKnownGroupsAreNotRepeated: a group of an earlier page is not delivered again, and neither are
// its members.
func TestMembersOfKnownGroupsAreNotRepeated(t *testing.T) {
	for _, row := range []string{`{"id":"g1","displayName":"One","members":["u1"]}`, `{"members":["u1"],"displayName":"One","id":"g1"}`} {
		c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, r *http.Request) {
			reply(w, 200, `{"totalResults":9,"Resources":[`+row+`]}`)
		}), 100)
		var got assembled
		sink := got.sink(t)
		sink.Seen = func(id string) bool { return id == "g1" }
		step, err := c.ListGroups(t.Context(), paging.Position{}, sink)
		if err != nil || step.Rows != 1 || step.Fresh != 0 || len(got.groups)+len(got.pending) > 0 {
			t.Errorf("%+v, %v: %+v", step, err, got)
		}
	}
}

// TestMembersComeWhileTheAnswerIsOnItsWay: members are delivered before the page or the group is complete.
// The server sends the rest only after the first member was delivered.
func TestMembersComeWhileTheAnswerIsOnItsWay(t *testing.T) {
	arrived := make(chan struct{})
	c := serve(t, 100, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"totalResults":2,"Resources":[{"id":"g1","displayName":"One","members":[{"value":"u1"},`)
		w.(http.Flusher).Flush()
		<-arrived
		io.WriteString(w, `{"value":"u2"}]}]}`)
	})
	var members []string
	_, err := c.ListGroups(t.Context(), paging.Position{}, scim.GroupSink{
		Sink: paging.Sink[scim.Group]{Row: func(scim.Group) {}},
		Member: func(_ *scim.Group, m scim.Member) {
			if members = append(members, m.Value); len(members) == 1 {
				close(arrived)
			}
		},
	})
	if err != nil || !slices.Equal(members, []string{"u1", "u2"}) {
		t.Errorf("%q, %v", members, err)
	}
}

// TestBrokenPageIsVoid: if a response breaks off, everything delivered from it is void, and the page that
// replaces it is complete.
func TestBrokenPageIsVoid(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"totalResults":50,"Resources":[`)
	for i := range 20 {
		fmt.Fprintf(&body, `{"id":"g%d","displayName":"Group %d","members":["u1","u2"]},`, i, i)
	}
	whole := strings.TrimSuffix(body.String(), ",") + "]}"
	for n := 0; n < len(whole); n += 97 {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			client, err := rest.New(rest.Config{BaseURL: "https://scim.example.com", Transport: inProcess(func(w http.ResponseWriter, r *http.Request) {
				if requests++; requests == 1 {
					io.WriteString(w, whole[:n])
					return
				}
				reply(w, 200, whole)
			})})
			if err != nil {
				t.Fatal(err)
			}
			c := scim.New(scim.Config{REST: client})
			var got assembled
			step, err := c.ListGroups(t.Context(), paging.Position{}, got.sink(t))
			if n == 0 && baton.KindOf(err) == baton.Incomplete {
				return // an empty body is not a list and is not requested again
			}
			if err != nil || step.Fresh != 20 || len(got.groups) != 20 || requests != 2 || got.voided != 1 {
				t.Errorf("cut at %d: %d requests, %+v, %v", n, requests, step, err)
			}
			for _, g := range got.groups {
				if len(g.Members) != 2 {
					t.Errorf("cut at %d: group %s has %d members", n, g.ID, len(g.Members))
				}
			}
		})
	}
}
