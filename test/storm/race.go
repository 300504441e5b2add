package storm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/connector/perplexity"
	sandbox "baton/sandbox/perplexity"
)

// RaceRun is a set of changes that several processes make to one organisation at the same time, each over its
// own slow network.
type RaceRun struct {
	Seed uint64
	Wrap Wrapper
}

// racer is one process.
type racer struct {
	wire      *wire
	connector *baton.Connector
}

// raceChange is one change of one process, with its outcome.
type raceChange struct {
	attempt
	by *racer
}

// Run makes the changes in a synctest bubble and returns the failures.
func (s RaceRun) Run(t *testing.T) (wrong []string) {
	_ = t
	r := rand.New(rand.NewPCG(s.Seed, 0x4ace))
	time.Sleep(time.Until(today))
	org := sandbox.New(sandbox.Options{Empty: true, Token: token})
	admin, member, team := org.AddGroup("PPLX_Admin"), org.AddGroup("PPLX_Members"), org.AddGroup("Team")
	memberFirst := chance(r, 30)
	if memberFirst {
		if err := org.SetFaults("member-first"); err != nil {
			return []string{err.Error()}
		}
	}
	var admins, others []string
	for i := range 8 {
		id := org.AddUser(sandbox.Person{UserName: fmt.Sprintf("person%d@acme.example", i), GivenName: fmt.Sprint("P", i)})
		if i < 1+r.IntN(3) || i == 0 {
			org.AddMember(admin, id)
			admins = append(admins, id)
		} else {
			others = append(others, id)
			if chance(r, 50) {
				org.AddMember(team, id)
			}
		}
	}
	var log logBuffer
	racers := make([]*racer, 2+r.IntN(2))
	for i := range racers {
		w := newWire(org)
		w.lag = rand.New(rand.NewPCG(s.Seed, uint64(i)))
		defer w.end()
		c, err := client(w, org.URLPath(), &log)
		if err != nil {
			return []string{err.Error()}
		}
		priority := "admin"
		if memberFirst {
			priority = "member"
		}
		racers[i] = &racer{w, perplexity.New(perplexity.Config{REST: c, MinAdmins: 1, Priority: priority})}
		if s.Wrap != nil {
			racers[i].connector = s.Wrap(racers[i].connector, w)
		}
	}
	// Some process removes each admin's rights, and all other accounts join or leave the team.
	var raceChanges []*raceChange
	for i, id := range admins {
		q := request{operation: pick(r, "revoke", "disable_user"), group: admin, user: id}
		if memberFirst && chance(r, 40) {
			q.operation, q.group = "grant", member
		}
		raceChanges = append(raceChanges, &raceChange{attempt{request: q}, racers[i%len(racers)]})
	}
	for _, id := range others {
		raceChanges = append(raceChanges, &raceChange{attempt{request: request{operation: pick(r, "grant", "revoke"), group: team, user: id}}, racers[r.IntN(len(racers))]})
	}
	var wg sync.WaitGroup
	for _, e := range raceChanges {
		wait := time.Duration(r.Int64N(int64(30 * time.Millisecond)))
		wg.Go(func() {
			pause(wait)
			c := changing{connector: e.by.connector, wire: e.by.wire}
			e.outcome, e.err = c.ask(e.request)
		})
	}
	wg.Wait()
	st := org.State()
	if len(st.Admins) == 0 {
		story := []string{"nobody is Admin any more"}
		for _, e := range raceChanges[:len(admins)] {
			story = append(story, fmt.Sprintf("%s: %+v, %v", e.request, e.outcome.Done, e.err))
		}
		wrong = append(wrong, strings.Join(story, "; "))
	}
	for _, e := range raceChanges {
		switch {
		case e.err == nil && !e.achieved(st):
			wrong = append(wrong, fmt.Sprintf("%s says that it is done, and it is not", e.request))
		case e.group == team && !e.achieved(st):
			wrong = append(wrong, fmt.Sprintf("%s: %v", e.request, e.err))
		case e.err != nil && baton.KindOf(e.err) != baton.Refused && !strings.Contains(e.err.Error(), "lost membership"):
			wrong = append(wrong, fmt.Sprintf("%s: %v (%v)", e.request, e.err, baton.KindOf(e.err)))
		}
	}
	return wrong
}
