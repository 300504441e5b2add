package console_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	. "baton/console"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func hours(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }

// TestRulesArePure checks that the package uses no clock, no database and no protobuf.
func TestRulesArePure(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	allowed := []string{"baton", "bytes", "cmp", "regexp", "crypto/ed25519", "crypto/rand", "crypto/sha256", "encoding/binary", "encoding/hex", "encoding/json", "errors", "fmt", "slices", "strconv", "strings", "time",
		"maps", "unicode", "unicode/utf8", "github.com/segmentio/ksuid", "golang.org/x/text/unicode/norm"}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, banned := range []string{"time.Now", "time.Since", "time.Until", "time.After"} {
			if strings.Contains(string(b), banned+"(") {
				t.Errorf("%s calls %s", name, banned)
			}
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, b, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range parsed.Imports {
			if path := strings.Trim(imp.Path.Value, `"`); !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

const (
	admin  EntitlementKey = 1
	admin2 EntitlementKey = 2
	member EntitlementKey = 3
	guest  EntitlementKey = 4
)

func roles(p Priority) RoleMap {
	return RoleMap{Priority: p, Roles: []AppRole{
		{Name: "Admin", Admin: true, Entitlements: []EntitlementKey{admin, admin2}},
		{Name: "Member", Entitlements: []EntitlementKey{member}},
		{Name: "Guest", Entitlements: []EntitlementKey{guest}},
	}}
}

func TestEffectiveRole(t *testing.T) {
	for _, tt := range []struct {
		priority    Priority
		held        []EntitlementKey
		risk, floor string
		roles       int
	}{
		{PriorityUnknown, nil, "", "", 0},
		{PriorityUnknown, []EntitlementKey{99}, "", "", 0},
		{PriorityUnknown, []EntitlementKey{admin}, "Admin", "Admin", 1},
		{PriorityUnknown, []EntitlementKey{admin, admin2}, "Admin", "Admin", 1},
		{PriorityUnknown, []EntitlementKey{member, admin}, "Admin", "Member", 2},
		{PriorityUnknown, []EntitlementKey{guest, member, admin2}, "Admin", "Guest", 3},
		{HighestWins, []EntitlementKey{member, admin}, "Admin", "Admin", 2},
		{LowestWins, []EntitlementKey{member, admin}, "Member", "Member", 2},
		{LowestWins, []EntitlementKey{admin}, "Admin", "Admin", 1},
	} {
		got := roles(tt.priority).Effective(tt.held)
		name := func(r *AppRole) string {
			if r == nil {
				return ""
			}
			return r.Name
		}
		if name(got.Risk) != tt.risk || name(got.Floor) != tt.floor || got.Held != tt.roles {
			t.Errorf("priority %q, held %v: risk %q, floor %q, %d roles; want %q, %q, %d",
				tt.priority, tt.held, name(got.Risk), name(got.Floor), got.Held, tt.risk, tt.floor, tt.roles)
		}
	}
}

// holder returns an account that counts as an administrator.
func holder(account ResourceKey) RoleHolder {
	return RoleHolder{Account: account, Person: ID(fmt.Sprintf("p%d", account)), PersonActive: true,
		Kind: AccountHuman, Enabled: true, Held: []EntitlementKey{admin}}
}

func TestWhoCountsAsAdmin(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*RoleHolder)
		want int
	}{
		"effective, enabled, human, matched": {func(*RoleHolder) {}, 1},
		"kind not given":                     {func(h *RoleHolder) { h.Kind = AccountUnspecified }, 1},
		"disabled":                           {func(h *RoleHolder) { h.Enabled = false }, 0},
		"service account":                    {func(h *RoleHolder) { h.Kind = AccountService }, 0},
		"system account":                     {func(h *RoleHolder) { h.Kind = AccountSystem }, 0},
		"a service, as a person said":        {func(h *RoleHolder) { h.Said = AccountService }, 0},
		"human, as a person said":            {func(h *RoleHolder) { h.Kind, h.Said = AccountService, AccountHuman }, 1},
		"matched to nobody":                  {func(h *RoleHolder) { h.Person = "" }, 0},
		"of a person who left":               {func(h *RoleHolder) { h.PersonActive = false }, 0},
		"in two groups, priority unknown":    {func(h *RoleHolder) { h.Held = append(h.Held, member) }, 0},
		"not an admin":                       {func(h *RoleHolder) { h.Held = []EntitlementKey{member} }, 0},
	} {
		h := holder(1)
		tt.edit(&h)
		if got := (Admins{Roles: roles(PriorityUnknown), Holders: []RoleHolder{h}}).Count(); got != tt.want {
			t.Errorf("%s: counts %d, want %d", name, got, tt.want)
		}
	}
	two := []RoleHolder{holder(1), holder(2)}
	two[1].Person = two[0].Person
	if got := (Admins{Roles: roles(HighestWins), Holders: two}).Count(); got != 1 {
		t.Errorf("two accounts of one person count %d", got)
	}
}

func TestCountAfterChanges(t *testing.T) {
	for _, tt := range []struct {
		name     string
		priority Priority
		inFlight []Change
		change   Change
		want     int // of two admins
	}{
		{"revoke admin", HighestWins, nil, Change{1, admin, Revoke}, 1},
		{"revoke another entitlement", HighestWins, nil, Change{1, member, Revoke}, 2},
		{"disable the account", HighestWins, nil, Change{1, AccountItself, Revoke}, 1},
		{"enable the account", HighestWins, nil, Change{1, AccountItself, Grant}, 2},
		{"grant the lower role, lowest wins", LowestWins, nil, Change{1, member, Grant}, 1},
		{"grant the lower role, unknown", PriorityUnknown, nil, Change{1, member, Grant}, 1},
		{"grant the lower role, highest wins", HighestWins, nil, Change{1, member, Grant}, 2},
		{"a removal in flight", HighestWins, []Change{{2, admin, Revoke}}, Change{1, admin, Revoke}, 0},
		{"a grant in flight does not save", HighestWins, []Change{{3, admin, Grant}}, Change{1, admin, Revoke}, 1},
		{"removed and granted again in flight", HighestWins, []Change{{1, admin, Revoke}, {1, admin, Grant}}, Change{9, admin, Revoke}, 1},
		{"the same change twice", HighestWins, []Change{{1, admin, Revoke}}, Change{1, admin, Revoke}, 1},
	} {
		a := Admins{Roles: roles(tt.priority), Holders: []RoleHolder{holder(1), holder(2)}, InFlight: tt.inFlight}
		if got := a.Count(tt.change); got != tt.want {
			t.Errorf("%s: %d count, want %d", tt.name, got, tt.want)
		}
	}
}

// TestGuardsOnEveryPath applies every guard to a change on each path that can cause one.
func TestGuardsOnEveryPath(t *testing.T) {
	ok := func() Proposal {
		return Proposal{Change: Change{1, admin, Revoke},
			Cause:  Cause{By: ByPerson("p9"), Evidence: EvidenceDecision},
			Admins: Admins{Minimum: 2, Roles: roles(HighestWins), Holders: []RoleHolder{holder(1), holder(2), holder(3)}},
			Fact:   &Fact{Entitlement: admin, Principal: 1, From: 1, Until: Never}}
	}
	for name, tt := range map[string]struct {
		edit     func(*Proposal)
		guard    Guard // "" if nothing refuses
		dispatch bool  // refused at the dispatch only
	}{
		"allowed":                       {func(p *Proposal) {}, "", false},
		"below the minimum":             {func(p *Proposal) { p.Admins.Minimum = 3 }, GuardAdmins, false},
		"a race for the last but one":   {func(p *Proposal) { p.Admins.InFlight = []Change{{2, admin, Revoke}} }, GuardAdmins, false},
		"below, one person overrides":   {func(p *Proposal) { p.Admins.Minimum = 3; p.Override = &Override{"a", "a", "why"} }, GuardAdmins, false},
		"below, overridden, no reason":  {func(p *Proposal) { p.Admins.Minimum = 3; p.Override = &Override{"a", "b", ""} }, GuardAdmins, false},
		"below, two people override":    {func(p *Proposal) { p.Admins.Minimum = 3; p.Override = &Override{"a", "b", "why"} }, "", false},
		"already below, not lowered":    {func(p *Proposal) { p.Admins.Minimum = 9; p.Change.Entitlement = guest }, "", false},
		"disabling an admin":            {func(p *Proposal) { p.Admins.Minimum = 3; p.Change.Entitlement = AccountItself; p.Fact = nil }, GuardAdmins, false},
		"from missing data":             {func(p *Proposal) { p.Cause.Evidence = EvidenceAbsence }, GuardAbsence, false},
		"held through a group":          {func(p *Proposal) { p.Fact.Sources = []Source{{Entitlement: "g"}} }, GuardDirect, false},
		"held directly and by a group":  {func(p *Proposal) { p.Fact.Sources = []Source{{"g", false}, {"d", true}} }, "", false},
		"immutable":                     {func(p *Proposal) { p.Fact.Immutable = true }, GuardMastered, false},
		"mastered, came back once":      {func(p *Proposal) { p.MasteredBy = "Okta"; p.ComeBacks = 1 }, "", false},
		"mastered, came back twice":     {func(p *Proposal) { p.MasteredBy = "Okta"; p.ComeBacks = 2 }, GuardMastered, false},
		"came back twice, nobody knows": {func(p *Proposal) { p.ComeBacks = 2 }, GuardMastered, false},
		"one sync without the account":  {func(p *Proposal) { p.Missing = true }, GuardAbsence, false},
		"forbidden while it is held":    {func(p *Proposal) { p.ConnectorHeld, p.ComeBacks = true, 2 }, GuardMastered, false},
		"the newest sync is held":       {func(p *Proposal) { p.ConnectorHeld = true }, GuardHeld, true},
		"held, but a disable by hand": {func(p *Proposal) {
			p.ConnectorHeld, p.ByHand, p.Change.Entitlement, p.Fact = true, true, AccountItself, nil
		}, "", true},
		"held, and a disable by machine": {func(p *Proposal) { p.ConnectorHeld, p.Change.Entitlement, p.Fact = true, AccountItself, nil }, GuardHeld, true},
		"paused":                         {func(p *Proposal) { p.ConnectorPaused = true }, GuardPaused, true},
		"all writes paused":              {func(p *Proposal) { p.WritesPaused = true }, GuardPaused, true},
	} {
		for _, path := range CauseKinds() {
			p := ok()
			p.Cause.Kind = path
			tt.edit(&p)
			created, dispatched := p.Check(), p.CheckDispatch()
			if want := tt.guard; tt.dispatch {
				checkRefusal(t, name, path, created, "")
				checkRefusal(t, name, path, dispatched, want)
			} else {
				checkRefusal(t, name, path, created, want)
				checkRefusal(t, name, path, dispatched, want)
			}
		}
	}
}

func checkRefusal(t *testing.T, name string, path CauseKind, err error, want Guard) {
	t.Helper()
	var r *Refusal
	switch {
	case err == nil && want == "":
	case !errors.As(err, &r):
		t.Errorf("%s, %s: %v, want %q", name, path, err, want)
	case r.Guard != want:
		t.Errorf("%s, %s: refused by %s, want %q", name, path, r.Guard, want)
	case baton.KindOf(err) != baton.Refused || baton.FixOf(err) == "":
		t.Errorf("%s, %s: kind %v, fix %q", name, path, baton.KindOf(err), baton.FixOf(err))
	}
}

func TestBarOutranksRules(t *testing.T) {
	bar := &Bar{Created: hours(0)}
	p := Proposal{Change: Change{1, member, Grant}, Bar: bar, Cause: Cause{Kind: CauseAutomation, Evidence: EvidenceShown}}
	checkRefusal(t, "automation under a bar", p.Cause.Kind, p.Check(), GuardBar)
	p.Cause.Kind = CauseApproval
	checkRefusal(t, "an approval under a bar", p.Cause.Kind, p.Check(), "")
	bar.Lifted = hours(1)
	p.Cause.Kind = CauseAutomation
	checkRefusal(t, "automation after it was lifted", p.Cause.Kind, p.Check(), "")

	rule, person := Reason{Kind: ReasonRule}, Reason{Kind: ReasonRequest}
	bar.Lifted = time.Time{}
	if got := OpenReasons([]Reason{rule, person}, bar, hours(2)); len(got) != 1 || got[0].Kind != ReasonRequest {
		t.Errorf("under a bar %v are open", got)
	}
	if got := OpenReasons([]Reason{rule, person}, nil, hours(2)); len(got) != 2 {
		t.Errorf("without a bar %v are open", got)
	}
}

func TestNobodyDecidesForThemselves(t *testing.T) {
	merged := map[ID]ID{"ana2": "ana"}
	canonical := func(id ID) ID {
		if to := merged[id]; to != "" {
			return to
		}
		return id
	}
	for _, tt := range []struct {
		name    string
		d       Decision
		refused bool
	}{
		{"another", Decision{Actor: "ben", Requester: "ana", Subject: "ana"}, false},
		{"the subject", Decision{Actor: "ana", Requester: "ben", Subject: "ana"}, true},
		{"the requester", Decision{Actor: "ana", Requester: "ana", Subject: "cem"}, true},
		{"a delegate for the subject", Decision{Actor: "ben", OnBehalfOf: "ana", Subject: "ana"}, true},
		{"a delegate for the requester", Decision{Actor: "ben", OnBehalfOf: "ana", Requester: "ana", Subject: "cem"}, true},
		{"the subject as a delegate", Decision{Actor: "ana", OnBehalfOf: "ben", Subject: "ana"}, true},
		{"the subject under a merged identity", Decision{Actor: "ana2", Subject: "ana"}, true},
		{"the requester under a merged identity", Decision{Actor: "ana", Requester: "ana2", Subject: "cem"}, true},
		{"an account without a person", Decision{Actor: "ana"}, false},
	} {
		err := tt.d.CheckSelf(canonical)
		if (err != nil) != tt.refused {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	until := func(n int) Reason { return Reason{Kind: ReasonRequest, Until: hours(n)} }
	ended := Reason{Kind: ReasonRequest, Ended: hours(0)}
	for _, tt := range []struct {
		name    string
		reasons []Reason
		end     int // 0 for none
		expired int // 0 for none
	}{
		{"none", nil, 0, 0},
		{"one", []Reason{until(3)}, 3, 0},
		{"the last of two counts", []Reason{until(3), until(5)}, 5, 0},
		{"in any order", []Reason{until(5), until(3)}, 5, 0},
		{"an open-ended one", []Reason{until(3), {Kind: ReasonBefore}}, 0, 0},
		{"the first ran out", []Reason{until(1), until(3)}, 3, 0},
		{"all ran out", []Reason{until(1), until(2)}, 0, 2},
		{"somebody ended it", []Reason{ended}, 0, 0},
		{"one ended, one ran out", []Reason{ended, until(1)}, 0, 1},
	} {
		end, ok := Expiry(tt.reasons, nil, hours(2))
		if ok != (tt.end != 0) || ok && !end.Equal(hours(tt.end)) {
			t.Errorf("%s: ends %v, %v", tt.name, end, ok)
		}
		if at := ExpiredAt(tt.reasons, nil, hours(2)); at.IsZero() != (tt.expired == 0) || !at.IsZero() && !at.Equal(hours(tt.expired)) {
			t.Errorf("%s: ran out at %v", tt.name, at)
		}
	}
	r := until(3)
	if got := r.KeepUntil(hours(5)); !got.Equal(hours(3)) {
		t.Errorf("keep until extended a reason to %v", got)
	}
	if got := r.KeepUntil(hours(1)); !got.Equal(hours(1)) {
		t.Errorf("keep until gives %v", got)
	}
}

func TestAccessState(t *testing.T) {
	open := []Reason{{Kind: ReasonRequest, Created: hours(-5)}}
	ran := []Reason{{Kind: ReasonRequest, Created: hours(-5), Until: hours(-1)}}
	removal := &Operation{Verb: Revoke, State: Verified, Verified: 7, Created: hours(0)}
	removing := &Operation{Verb: Revoke, State: Dispatched}
	for _, tt := range []struct {
		want State
		name string
		a    Access
	}{
		{StateNone, "nothing", Access{}},
		{StateNone, "ran out and gone", Access{Reasons: ran, LastHeld: true}},
		{StatePending, "a reason", Access{Reasons: open}},
		{StateUndone, "a reason, held before", Access{Reasons: open, LastHeld: true}},
		{StateExplained, "held with a reason", Access{Held: true, From: 9, Direct: true, Reasons: open}},
		{StateExplained, "granted again after a removal", Access{Held: true, From: 9, Direct: true, Reasons: open, Removal: removal}},
		{StateUnexplained, "held without", Access{Held: true, From: 9, Direct: true, FirstShown: 3}},
		{StateBaseline, "since the first sync", Access{Held: true, From: 3, Direct: true, FirstShown: 3}},
		{StateOverdue, "ran out, still held", Access{Held: true, From: 3, Direct: true, Reasons: ran}},
		{StateEnding, "ran out, being removed", Access{Held: true, From: 3, Direct: true, Reasons: ran, Operation: removing}},
		{StateOverdue, "ran out, and the removal is late", Access{Held: true, From: 3, Direct: true, Reasons: ran, Operation: removing, Overdue: &Overdue{}}},
		{StateOverdue, "ran out, and a grant is under way", Access{Held: true, From: 3, Direct: true, Reasons: ran, Operation: &Operation{Verb: Grant, State: Queued}}},
		{StateOverdue, "an earlier removal does not count", Access{Held: true, From: 9, Direct: true, Removal: removal,
			Reasons: []Reason{{Created: hours(1), Until: hours(2)}}}},
		{StateEnding, "being removed", Access{Held: true, From: 3, Direct: true, Operation: removing, FirstShown: 3}},
		{StateCameBack, "after a removal", Access{Held: true, From: 9, Direct: true, Removal: removal, Reasons: ran}},
		{StateHeldThrough, "after a removal, through a group", Access{Held: true, From: 3, Removal: removal, Reasons: ran}},
		{StateUnexplained, "rule reason under a bar", Access{Held: true, From: 9, Direct: true, FirstShown: 3,
			Reasons: []Reason{{Kind: ReasonRule}}, Bar: &Bar{Created: hours(-1)}}},
	} {
		if got := tt.a.State(hours(3)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestVerify(t *testing.T) {
	op := func(verb Verb, state OperationState, finished int) Operation {
		o := Operation{Verb: verb, State: state, Entitlement: member, Dispatched: hours(0), LeaseUntil: hours(2)}
		if finished != 0 {
			o.Finished = hours(finished)
		}
		return o
	}
	after := func(d time.Duration) func(*Sighting) {
		return func(s *Sighting) { s.Dispatched = s.Dispatched.Add(d) }
	}
	for _, tt := range []struct {
		name string
		o    Operation
		at   int // when the sync was dispatched
		held bool
		edit func(*Sighting)
		want Verdict
	}{
		{"granted, seen", op(Grant, Applied, 1), 2, true, nil, Verifies},
		{"granted, not seen", op(Grant, Applied, 1), 2, false, nil, Contradicts},
		{"revoked, gone", op(Revoke, Applied, 1), 2, false, nil, Verifies},
		{"revoked, still there", op(Revoke, Applied, 1), 2, true, nil, Contradicts},
		{"handed out before the answer", op(Revoke, Applied, 1), 1, false, nil, NoEvidence},
		{"still there right after the answer", op(Revoke, Applied, 1), 1, true, after(time.Second), NoEvidence},
		{"still there while caches settle", op(Revoke, Applied, 1), 1, true, after(SettleTime), NoEvidence},
		{"still there afterwards", op(Revoke, Applied, 1), 1, true, after(SettleTime + 1), Contradicts},
		{"gone right after the answer", op(Revoke, Applied, 1), 1, false, after(1), Verifies},
		{"an upload", op(Revoke, Applied, 1), 2, false, func(s *Sighting) { s.Kind = SyncUpload }, NoEvidence},
		{"the resource is not in it", op(Revoke, Applied, 1), 2, false, func(s *Sighting) { s.Covers = false }, NoEvidence},
		{"never handed out by us", op(Revoke, Applied, 1), 2, false, func(s *Sighting) { s.Dispatched = time.Time{} }, NoEvidence},
		{"still held through a group", op(Revoke, Applied, 1), 2, true, func(s *Sighting) { s.Direct = false }, Verifies},
		{"no answer, seen during the lease", op(Grant, Dispatched, 0), 1, true, nil, Verifies},
		{"no answer, not seen during the lease", op(Grant, Dispatched, 0), 1, false, nil, NoEvidence},
		{"no answer, not seen at the end of the lease", op(Grant, Unknown, 0), 2, false, nil, NoEvidence},
		{"no answer, not seen after the lease", op(Grant, Unknown, 0), 3, false, nil, Contradicts},
		{"no answer, handed out before the task", op(Grant, Unknown, 0), 0, true, nil, NoEvidence},
		{"failed, and yet seen", op(Grant, Failed, 1), 2, true, nil, Verifies},
		{"failed, not seen", op(Grant, Failed, 1), 2, false, nil, NoEvidence},
		{"declined, not seen", op(Grant, Declined, 1), 2, false, nil, NoEvidence},
		{"queued", Operation{Verb: Grant, State: Queued}, 2, true, nil, NoEvidence},
		{"verified already", op(Grant, Verified, 1), 2, true, nil, NoEvidence},
	} {
		s := Sighting{Kind: SyncFull, Dispatched: hours(tt.at), Covers: true, Held: tt.held, Direct: true}
		if tt.edit != nil {
			tt.edit(&s)
		}
		if got := Verify(tt.o, s); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		if MayResend(tt.o, s) != (tt.want == Contradicts && tt.o.State != Applied) {
			t.Errorf("%s: may be sent again: %v", tt.name, MayResend(tt.o, s))
		}
	}
}

func TestMeet(t *testing.T) {
	for _, tt := range []struct {
		alive *Operation
		verb  Verb
		want  Encounter
	}{
		{nil, Grant, Proceed},
		{&Operation{Verb: Grant, State: Verified}, Revoke, Proceed},
		{&Operation{Verb: Grant, State: Failed}, Grant, Proceed},
		{&Operation{Verb: Grant, State: Queued}, Grant, Same},
		{&Operation{Verb: Grant, State: Dispatched}, Grant, Same},
		{&Operation{Verb: Grant, State: Queued}, Revoke, Supersede},
		{&Operation{Verb: Grant, State: Manual}, Revoke, Supersede},
		{&Operation{Verb: Grant, State: Manual}, Grant, Same},
		{&Operation{Verb: Grant, State: Dispatched}, Revoke, Wait},
		{&Operation{Verb: Revoke, State: Unknown}, Grant, Wait},
		{&Operation{Verb: Revoke, State: Applied}, Grant, Wait},
	} {
		if got := Meet(tt.alive, tt.verb); got != tt.want {
			t.Errorf("%+v meets %s: %d, want %d", tt.alive, tt.verb, got, tt.want)
		}
	}
}

// TestOperationStates checks that final states have no successors and that live ones can end.
func TestOperationStates(t *testing.T) {
	all := []OperationState{Waiting, Queued, Manual, Dispatched, Applied, Unknown, Failed, Declined, Verified, Contradicted, Superseded, Cancelled}
	for _, from := range all {
		ends := false
		for _, to := range all {
			ok := from.CanBecome(to)
			ends = ends || ok && !to.Alive()
			if ok && from == to {
				t.Errorf("%s follows itself", from)
			}
		}
		if from.Alive() && !ends {
			t.Errorf("%s never ends", from)
		}
	}
	for _, s := range []OperationState{Verified, Contradicted, Superseded, Cancelled} {
		if slices.ContainsFunc(all, s.CanBecome) {
			t.Errorf("%s is not final", s)
		}
	}
	if Dispatched.CanBecome(Superseded) || Dispatched.CanBecome(Queued) || Unknown.CanBecome(Queued) {
		t.Error("a task that was handed out can be replaced or sent again unseen")
	}
}

func TestSameAccount(t *testing.T) {
	before := Resource{Type: "user", ID: "u1", Created: noon, Account: &Account{Login: "ana"}}
	for _, tt := range []struct {
		name string
		edit func(*Resource)
		want bool
	}{
		{"unchanged", func(r *Resource) {}, true},
		{"another name", func(r *Resource) { r.Name = "Ana B." }, true},
		{"another login", func(r *Resource) { r.Account = &Account{Login: "anb"} }, false},
		{"created later", func(r *Resource) { r.Created = hours(1) }, false},
		{"creation no longer given", func(r *Resource) { r.Created = time.Time{} }, false},
		{"no account", func(r *Resource) { r.Account = nil }, false},
		{"another type", func(r *Resource) { r.Type = "service" }, false},
	} {
		after := before
		tt.edit(&after)
		if got := SameAccount(before, after); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	noLogin := Resource{Type: "user", ID: "u1", Created: noon, Account: &Account{}}
	if SameAccount(noLogin, noLogin) {
		t.Error("without a login nothing is established")
	}
	nowhere := Resource{Type: "user", ID: "u1", Account: &Account{Login: "ana"}}
	if !SameAccount(nowhere, nowhere) {
		t.Error("an upstream that gives no creation date never shows the same account")
	}
}

func TestHasAccount(t *testing.T) {
	for s, want := range map[Status]bool{StatusUnspecified: true, StatusEnabled: true, StatusDisabled: false, StatusDeleted: false} {
		if HasAccount(true, s) != want || HasAccount(false, s) {
			t.Errorf("status %d: %v when present", s, HasAccount(true, s))
		}
	}
}

func TestHolds(t *testing.T) {
	base := func() SyncView {
		return SyncView{Before: map[string]int64{"user": 100, "group": 2, "grants": 500}, After: map[string]int64{"user": 100, "group": 2, "grants": 500},
			AccountsHead: 100, AccountsKept: 100, Grants: 500, AdminsBefore: 2, AdminsAfter: 2, Minimum: 2}
	}
	for _, tt := range []struct {
		name string
		edit func(*SyncView)
		want []HoldKind
	}{
		{"unchanged", func(v *SyncView) {}, nil},
		{"a few less", func(v *SyncView) { v.After["user"] = 70 }, nil},
		{"a third less", func(v *SyncView) { v.After["user"] = 69 }, []HoldKind{HoldShrink}},
		{"one of two groups", func(v *SyncView) { v.After["group"] = 1 }, nil},
		{"both groups", func(v *SyncView) { v.After["group"] = 0 }, []HoldKind{HoldVanished}},
		{"grants vanish", func(v *SyncView) { delete(v.After, "grants") }, []HoldKind{HoldVanished}},
		{"half of the grants, all removed by the console", func(v *SyncView) { v.After["grants"], v.Removed = 250, 250 }, nil},
		{"all grants, all removed by the console", func(v *SyncView) { v.After["grants"], v.Removed = 0, 500 }, nil},
		{"half of the grants, some removed by the console", func(v *SyncView) { v.After["grants"], v.Removed = 250, 100 }, []HoldKind{HoldShrink}},
		{"as many, but others", func(v *SyncView) { v.AccountsKept = 49 }, []HoldKind{HoldReplaced}},
		{"half are others", func(v *SyncView) { v.AccountsKept = 50 }, nil},
		{"one admin less", func(v *SyncView) { v.AdminsAfter = 1 }, []HoldKind{HoldAdmins}},
		{"as few admins as before", func(v *SyncView) { v.AdminsBefore, v.AdminsAfter = 1, 1 }, nil},
		{"few admins at the first sync", func(v *SyncView) {
			*v = SyncView{First: true, After: map[string]int64{"user": 5}, Minimum: 2, AdminsAfter: 0}
		}, nil},
		{"the first sync of a restored console", func(v *SyncView) { v.Restored = true }, []HoldKind{HoldRestored}},
		{"many missing rows", func(v *SyncView) { v.Stated, v.Missing = 500, 51 }, []HoldKind{HoldMissing}},
		{"few missing rows", func(v *SyncView) { v.Stated, v.Missing = 500, 50 }, nil},
		{"many dangling grants", func(v *SyncView) { v.Dangling = 51 }, []HoldKind{HoldDangling}},
		{"some dangling grants", func(v *SyncView) { v.Dangling = 50 }, nil},
		{"another tenant", func(v *SyncView) {
			v.AccountsKept, v.After = 0, map[string]int64{"user": 3}
		}, []HoldKind{HoldVanished, HoldVanished, HoldShrink, HoldReplaced}},
	} {
		v := base()
		tt.edit(&v)
		var got []HoldKind
		for _, h := range Holds(v, DefaultHoldPolicy) {
			got = append(got, h.Kind)
			if h.Detail == "" {
				t.Errorf("%s: %s says nothing", tt.name, h.Kind)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOrderOfSyncs(t *testing.T) {
	head := &Sync{Kind: SyncFull, Began: hours(0)}
	for _, tt := range []struct {
		name       string
		s          Sync
		head, live *Sync
		want       Order
	}{
		{"the first", Sync{Kind: SyncFull, Began: hours(0)}, nil, nil, Applicable},
		{"the next", Sync{Kind: SyncFull, Began: hours(1)}, head, head, Applicable},
		{"one that began earlier", Sync{Kind: SyncFull, Began: hours(-1)}, head, head, TooOld},
		{"an old upload", Sync{Kind: SyncUpload, Began: hours(-1)}, head, head, TooOld},
		{"history before the first live sync", Sync{Kind: SyncImport, Began: hours(1)}, head, nil, Applicable},
		{"history after it", Sync{Kind: SyncImport, Began: hours(1)}, head, head, TooLate},
		{"targeted", Sync{Kind: SyncTargeted, Began: hours(1)}, head, head, Applicable},
		{"targeted before the first full one", Sync{Kind: SyncTargeted, Began: hours(1)}, nil, nil, Stored},
		{"another partial file", Sync{Kind: SyncPartial, Began: hours(1)}, head, head, Stored},
	} {
		if got := OrderOf(tt.s, tt.head, tt.live); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if Gone(1) || !Gone(2) {
		t.Error("an absence counts after two syncs")
	}
}

// TestEventHash pins the hashed bytes: other hashes would invalidate exported heads and evidence.
func TestEventHash(t *testing.T) {
	payload := []byte(`{"kind":"a.b"}`)
	first := HashEvent(Link{Epoch: 1, Number: 1}, payload)
	if got := first.String(); got != "6a9707a6e6a0e48ff28ab6bad7159aa93385a5da9ce906de5f68fcc735903581" {
		t.Errorf("first: %s", got)
	}
	seen := map[Hash]bool{first: true}
	for _, l := range []Link{{1, 2, Hash{}}, {2, 1, Hash{}}, {1, 1, first}} {
		h := HashEvent(l, payload)
		if seen[h] {
			t.Errorf("%+v has the hash of another link", l)
		}
		seen[h] = true
		if !l.Holds(payload, h) || l.Holds(payload[1:], h) || l.Holds(payload, first) {
			t.Errorf("%+v: only the event's bytes have its hash", l)
		}
		if HashDigest(l, sha256.Sum256(payload)) != h {
			t.Errorf("%+v: the digest of an event has another hash than the event", l)
		}
	}
}

// TestEventHashOfFirstVersion checks that chains of earlier versions still verify.
func TestEventHashOfFirstVersion(t *testing.T) {
	var h Hash
	if err := h.UnmarshalText([]byte("5a6c815ad5fca46770c55af002d4ed70d4c7356dfd501ba8ce6368c45360f0b9")); err != nil {
		t.Fatal(err)
	}
	l := Link{Epoch: 1, Number: 1}
	if !l.Holds([]byte(`{"kind":"a.b"}`), h) || l.Holds([]byte(`{"kind":"a.c"}`), h) || (Link{Epoch: 1, Number: 2}).Holds([]byte(`{"kind":"a.b"}`), h) {
		t.Error("an event of the first version has the hash of its bytes, and no other event has it")
	}
}

func TestNewID(t *testing.T) {
	a, b := NewID(noon), NewID(hours(1))
	if !a.Valid() || len(a) != 27 || a >= b || NewID(noon) == a || ID("x").Valid() {
		t.Errorf("%s, %s", a, b)
	}
}

func TestSortKey(t *testing.T) {
	names := []string{"", "ada", "Ägidius", "AGNES", "Grace Nguyễn", "grace nguyen-2", "zoë", "Zoé 2", "\xff"}
	for i := range names[1:] {
		if a, b := SortKey(names[i]), SortKey(names[i+1]); string(a) >= string(b) {
			t.Errorf("%q is not before %q", names[i], names[i+1])
		}
	}
	if string(SortKey("Café")) != string(SortKey("CAFE\u0301")) {
		t.Error("composed and decomposed letters differ")
	}
	if got := SortKey(strings.Repeat("長", 1000)); len(got) != 64 {
		t.Errorf("a key of %d bytes", len(got))
	}
}
