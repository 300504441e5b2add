package scim_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/connector/scim"
)

// TestPageAgain reads every page twice from the same position, as after a crash before the page was stored.
func TestPageAgain(t *testing.T) {
	for name, server := range map[string]dialect{
		"index":   honest(250, 100),
		"mute":    func(q query) page { return page{rows: window(q, 250, 100)} },
		"check":   func(q query) page { return page{rows: wrapping(100, 100)(q), total: 100} },
		"cursors": cursors(250, 100, nil),
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, 100, server.handler())
			seen := map[string]bool{}
			isSeen := func(id string) bool { return seen[id] }
			for at := (paging.Position{}); ; {
				var ids [2][]string
				var steps [2]scim.ListStep
				for i := range 2 {
					var err error
					steps[i], err = listUsers(c, t.Context(), at, isSeen, func(u scim.User) { ids[i] = append(ids[i], u.ID) })
					if err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(ids[0], ids[1]) || steps[0] != steps[1] {
					t.Fatalf("at %s: first %d rows and %+v, then %d and %+v", at, len(ids[0]), steps[0], len(ids[1]), steps[1])
				}
				for _, id := range ids[0] {
					seen[id] = true
				}
				if at = steps[0].Next; steps[0].Done {
					break
				}
			}
		})
	}
}

func TestPageCap(t *testing.T) {
	c := serve(t, 100, dialect(func(q query) page { return page{rows: []int{q.start}} }).handler())
	at, err := paging.ParsePosition(`{"pages":99999,"received":99999,"distinct":99999}`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = listUsers(c, t.Context(), at, nil, func(scim.User) { t.Error("a row of a list that was given up") })
	wantError(t, err, baton.Incomplete, "no end: 100000 pages", "")
}

// TestProbeThrottled: throttling does not prove the end of a list.
func TestProbeThrottled(t *testing.T) {
	c := serve(t, 100, dialect(func(q query) page {
		if q.start > 1 {
			return page{status: 400, error: "throttled"}
		}
		return page{rows: span(1, 100), total: 100}
	}).handler())
	wantError(t, drain(t, c).err, baton.RateLimited, "400 Bad Request", "")
}

func TestStep(t *testing.T) {
	c := serve(t, 100, honest(250, 100).handler())
	step, err := listUsers(c, t.Context(), paging.Position{}, func(id string) bool { return id == "u7" }, func(scim.User) {})
	if err != nil || step.Total != 250 || step.Rows != 100 || step.Fresh != 99 || step.Done || step.Restart {
		t.Errorf("%+v, %v", step, err)
	}
	c = serve(t, 100, dialect(func(q query) page { return page{rows: window(q, 250, 100), total: 10} }).handler())
	step, err = listUsers(c, t.Context(), paging.Position{}, nil, func(scim.User) {})
	if err != nil || step.Total != 0 {
		t.Errorf("a total nobody can believe is passed on: %+v, %v", step, err)
	}
}

// TestSlowPages: the client requests fewer rows while responses time out. The final error names the request.
func TestSlowPages(t *testing.T) {
	for name, tt := range map[string]struct {
		fast int // the largest page that arrives in time
		rows int
		err  string
	}{
		"some rows": {30, 120, ""},
		"no row":    {0, 0, "2 rows from row 1 on: GET /Users: no complete answer within 10s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := dialect(func(q query) page { return page{rows: window(q, 120, 100), total: 120} }).handler()
				client, err := rest.New(rest.Config{BaseURL: "https://scim.example.com", RetryFor: -1, Timeout: 10 * time.Second,
					Transport: slowly(func(w http.ResponseWriter, r *http.Request) {
						if count, _ := strconv.Atoi(r.URL.Query().Get("count")); count > tt.fast {
							<-r.Context().Done()
							return
						}
						server(w, r)
					})})
				if err != nil {
					t.Fatal(err)
				}
				got := drain(t, scim.New(scim.Config{REST: client}))
				if tt.err != "" {
					wantError(t, got.err, baton.Unavailable, tt.err, "raise http-timeout-seconds")
				} else if got.err != nil || len(got.ids) != tt.rows {
					t.Errorf("%d rows, %v", len(got.ids), got.err)
				}
			})
		})
	}
}

// slowly answers requests without a socket, and fails as if the response had timed out.
type slowly http.HandlerFunc

func (h slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := inProcess(h).RoundTrip(r)
	if ended := r.Context().Err(); ended != nil {
		return nil, ended
	}
	return response, err
}
