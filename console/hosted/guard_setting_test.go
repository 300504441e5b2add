package hosted_test

import (
	"maps"
	"strings"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// settings are the guards of the table.
var settings = []setting{
	{"the minimum of admins", []console.Guard{console.GuardAdmins}, lastAdmin(console.LowestWins), nil},
	{"nobody decides for themselves", []console.Guard{console.GuardSelf, console.GuardNobody}, oneself, nil},
	{"an unknown role is the worse role", []console.Guard{console.GuardAdmins}, lastAdmin(console.PriorityUnknown), func(x *scene) {
		// With a priority, the other one is an administrator for certain.
		x.roles(console.HighestWins, 1)
		x.view(func(tx *store.Tx) error {
			admins, err := tx.Admins(x.app)
			if admins.Count() != 2 {
				x.t.Errorf("%d administrators, want 2", admins.Count())
			}
			return err
		})
	}},
	{"a held sync", []console.Guard{console.GuardHeld}, held, func(x *scene) {
		// What waited is carried out once somebody decided about the sync.
		writes := x.writes()
		x.view(func(tx *store.Tx) error {
			s, err := tx.HeldSync(x.connector)
			if s == nil {
				x.t.Fatal("the sync is not held any more")
			}
			return err
		})
		x.update(func(tx *store.Tx) error {
			s, err := tx.HeldSync(x.connector)
			if err != nil {
				return err
			}
			return tx.EndSync(s.ID, console.SyncDiscarded, "a fault of the application")
		})
		x.wait("what waited", func(*store.Tx) (bool, error) { return x.writes() >= writes+5, nil })
	}},
	{"absence is no evidence", []console.Guard{console.GuardAbsence}, absent, nil},
	{"mastered elsewhere", []console.Guard{console.GuardMastered}, mastered, nil},
}

// A file sets people, applications and connectors. It neither gives nor takes access, and what
// it leaves out stays as it is, so that no change of it meets these guards.
const fileChangesNoAccess = "a configuration file neither gives nor takes access, and what it leaves out stays"

// lastAdmin is an application of which Ada is the only administrator for certain. Where nobody
// said which role counts, Bea holds both, too.
func lastAdmin(p console.Priority) func(*scene) map[string]cell {
	return func(x *scene) map[string]cell {
		ada, bea := x.user("ada", adminGroup), ""
		if p == console.PriorityUnknown {
			bea = x.user("bea", adminGroup, membersGroup)
		}
		x.look(console.SyncApplied)
		who, account := x.person("Ada", ada), x.account(ada)
		if bea != "" {
			x.person("Bea", bea)
		}
		x.roles(p, 0)
		request := x.must(x.giveBack(who, x.admins))
		x.roles(p, 1)
		var o console.Operation
		planned := func() {
			x.roles(p, 0)
			o = x.byHand(account, x.admins, console.Revoke)
			x.roles(p, 1)
		}
		stopped := func() { x.stop(&o) }
		table := map[string]cell{
			// To be a member as well would end being an administrator, for certain.
			"request":         {try: func() error { _, err := x.ask(who, x.members); return err }},
			"expiry":          {try: func() error { return x.runOut(account, x.admins, "minimum is 1") }, alarm: "access.overdue"},
			"give back":       {prepare: func() { x.cancel(who, &request) }, try: func() error { _, err := x.giveBack(who, x.admins); return err }},
			"action":          {try: func() error { return x.action(x.caller, "disable_user", ada) }},
			"account disable": {try: func() error { return x.remove(account, console.AccountItself) }},
			"manual task":     {prepare: planned, try: func() error { return x.done(x.caller, &o) }, after: stopped},
			"retry":           {prepare: planned, try: func() error { return x.retry(x.caller, &o) }, after: stopped},
			"plan":            {try: func() error { return x.plan(x.caller, account, x.admins) }},
			"bootstrap": {prepare: func() {
				x.file("apps:\n  - {name: Perplexity, minimum_admins: 0, admin_entitlements: [\"" + x.upstream(x.admins) + "\"]}\n")
			}, try: func() error { return x.remove(account, x.admins) }},
			"REST": {try: func() error { return x.callRevoke(who, x.admins) }},
		}
		maps.Copy(table, x.decisions(&request))
		return table
	}
}

// upstream returns the id of an entitlement.
func (x *scene) upstream(e console.EntitlementKey) (id string) {
	x.view(func(tx *store.Tx) error {
		m, err := tx.Moment(x.app, time.Time{})
		if err != nil {
			return err
		}
		found, err := tx.Entitlement(m, e)
		id = found.ID
		return err
	})
	return id
}

// oneself is Ana, an owner and a super administrator, who asks for access.
func oneself(x *scene) map[string]cell {
	id := x.user("ana", othersGroup)
	x.look(console.SyncApplied)
	ana, account := x.person("Ana", id, console.SuperAdministrator), x.account(id)
	x.owners(x.owner, ana)
	reassignable := console.PolicyStep{Ask: []console.Approver{{Kind: console.ApproverAppOwner}}, Reassign: []console.Approver{{Kind: console.ApproverPerson, Person: ana.Person.ID}}}
	x.policy(console.StandardPolicy, console.PolicyRule{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{reassignable}})
	request := x.must(x.ask(ana, x.members))
	earlier := x.must(x.ask(ana, x.more))
	over := earlier
	x.cancel(ana, &over)
	var back console.ID
	var o console.Operation
	planned := func() { o = x.byHand(account, x.admins, console.Grant) }
	stopped := func() { x.stop(&o) }
	alone, together := func() { x.owners(ana) }, func() { x.owners(x.owner, ana) }
	return map[string]cell{
		"request":  {prepare: alone, try: func() error { _, err := x.ask(ana, x.more); return err }, after: together},
		"approval": {try: func() error { return x.decide(ana, request, true) }},
		"bulk":     {try: func() error { return x.bulk(ana, request) }},
		"delegate": {prepare: func() {
			x.update(func(tx *store.Tx) error {
				return tx.SetDelegation(console.Delegation{Person: x.owner.Person.ID, Delegate: ana.Person.ID, From: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)})
			})
		}, try: func() error { return x.decide(ana, request, true) }, after: x.endDelegation},
		"reassign": {try: func() error { return x.reassign(request, ana.Person.ID) }},
		// Time ends access without anybody; to put the end off is to ask again.
		"expiry": {prepare: alone, try: func() error {
			_, err := x.console.ExtendRequest(x.t.Context(), ana, earlier)
			return err
		}, after: together},
		"give back": {prepare: func() { back = x.must(x.giveBack(ana, x.others)) }, try: func() error { return x.decide(ana, back, true) }},
		"action":    {try: func() error { return x.action(ana, "enable_user", id) }},
		"account disable": {try: func() error {
			_, err := x.console.EnableAccount(x.t.Context(), ana, x.app, account, "test")
			return err
		}},
		"manual task": {prepare: planned, try: func() error { return x.done(ana, &o) }, after: stopped},
		"retry":       {prepare: planned, try: func() error { return x.retry(ana, &o) }, after: stopped},
		"plan":        {try: func() error { return x.plan(ana, account, x.others) }},
		"bootstrap": {prepare: func() {
			x.file("people:\n  - {email: Ana@console.example, name: Ana}\napps:\n  - {name: Perplexity, owners: [Ana@console.example]}\n")
		}, try: func() error { _, err := x.ask(ana, x.more); return err }, after: together},
		"REST": {try: func() error { return x.callApprove(ana, request) }},
	}
}

// held is a connector whose newest sync lost many accounts and is held.
func held(x *scene) map[string]cell {
	x.policy(console.GiveBackPolicy, console.PolicyRule{Outcome: console.OutcomeApprove})
	names := []string{"approval", "bulk", "delegate", "reassign", "rest"}
	requests := map[string]console.ID{}
	ids := map[string]string{}
	for _, n := range append(names, "request", "back", "gone", "late", "hand", "plan") {
		groups := []string{}
		if n == "back" || n == "gone" || n == "hand" || n == "late" || n == "plan" {
			groups = append(groups, othersGroup)
		}
		ids[n] = x.user(n, groups...)
	}
	sleeper := x.user("sleeper")
	x.org.SetActive(sleeper, false)
	x.look(console.SyncApplied)
	callers := map[string]govern.Caller{}
	for n, id := range ids {
		callers[n] = x.person(n, id)
	}
	// Nobody decides about the group Others.
	x.update(func(tx *store.Tx) error {
		p := console.Policy{Name: "At once", Kind: console.PolicyRequest, Rules: []console.PolicyRule{{Outcome: console.OutcomeApprove}}}
		p, err := tx.AddPolicyVersion(p, 0)
		if err != nil {
			return err
		}
		return tx.AddRequestSettings(console.SettingsVersion{App: x.app, Entitlement: x.others, Settings: console.RequestSettings{Policy: p.ID}})
	})
	for _, n := range names {
		requests[n] = x.must(x.ask(callers[n], x.members))
	}
	late := x.account(ids["late"])
	o := x.byHand(x.account(ids["hand"]), x.others, console.Revoke)
	for i, u := range x.org.State().Users { // most of the accounts are gone
		if i > 0 && i < 20 {
			x.org.RemoveUser(u.ID)
		}
	}
	x.look(console.SyncHeld)
	expires := func(account console.ResourceKey, e console.EntitlementKey) func() error {
		return func() error {
			x.update(func(tx *store.Tx) error {
				_, err := tx.AddReason(console.Reason{App: x.app, Account: account, Entitlement: e, Kind: console.ReasonRequest, Until: time.Now().Add(300 * time.Millisecond)})
				return err
			})
			if err := x.overdue(account, e, "held"); !refusedBy(err, console.GuardHeld) {
				return err
			}
			return nil
		}
	}
	return map[string]cell{
		"request":  {try: func() error { _, err := x.ask(callers["request"], x.others); return err }, waits: true},
		"approval": {try: func() error { return x.decide(x.owner, requests["approval"], true) }, waits: true},
		"bulk":     {try: func() error { return x.bulk(x.owner, requests["bulk"]) }},
		"delegate": {prepare: func() { x.delegates(requests["delegate"]) }, try: func() error { return x.decide(x.delegate, requests["delegate"], true) }, after: x.endDelegation, waits: true},
		"reassign": {prepare: func() { x.must("", x.reassign(requests["reassign"], x.helper.Person.ID)) },
			try: func() error { return x.decide(x.helper, requests["reassign"], true) }, waits: true},
		"expiry":    {try: expires(late, x.others), alarm: "access.overdue", waits: true},
		"give back": {try: func() error { _, err := x.giveBack(callers["back"], x.others); return err }, waits: true},
		"action":    {try: func() error { return x.action(x.caller, "enable_user", sleeper) }, waits: true},
		// A person may disable an account while a sync is held, with a warning; time may not.
		"account disable": {try: expires(x.account(ids["gone"]), console.AccountItself), alarm: "access.overdue", waits: true},
		"manual task":     {try: func() error { return x.done(x.caller, &o) }},
		"retry":           {try: func() error { return x.retry(x.caller, &o) }, waits: true},
		"plan":            {try: func() error { return x.plan(x.caller, x.account(ids["plan"]), x.others) }, waits: true},
		"bootstrap":       {never: fileChangesNoAccess},
		"REST":            {try: func() error { return x.callApprove(x.owner, requests["rest"]) }, waits: true},
	}
}

// absent is Eve, whose account the newest sync does not show, and that one alone.
func absent(x *scene) map[string]cell {
	id := x.user("eve", othersGroup, membersGroup)
	x.look(console.SyncApplied)
	eve, account := x.person("Eve", id), x.account(id)
	request := x.must(x.giveBack(eve, x.others))
	o := x.byHand(account, x.members, console.Revoke)
	x.org.RemoveUser(id)
	x.look(console.SyncApplied)
	table := map[string]cell{
		"request":         {try: func() error { _, err := x.ask(eve, x.admins); return err }},
		"expiry":          {try: func() error { return x.runOut(account, x.others, "no evidence") }, alarm: "access.overdue"},
		"give back":       {prepare: func() { x.cancel(eve, &request) }, try: func() error { _, err := x.giveBack(eve, x.others); return err }},
		"action":          {try: func() error { return x.action(x.caller, "disable_user", id) }},
		"account disable": {try: func() error { return x.remove(account, console.AccountItself) }},
		"manual task":     {try: func() error { return x.done(x.caller, &o) }},
		"retry":           {try: func() error { return x.retry(x.caller, &o) }},
		"plan":            {try: func() error { return x.plan(x.caller, account, x.others) }},
		"bootstrap":       {never: fileChangesNoAccess},
		"REST":            {try: func() error { return x.callGrant(eve, x.admins) }},
	}
	maps.Copy(table, x.decisions(&request))
	return table
}

// mastered is Max, whose access something else puts back: in a group, and being enabled.
func mastered(x *scene) map[string]cell {
	id, off := x.user("max", othersGroup), x.user("off")
	x.look(console.SyncApplied)
	who, account, disabled := x.person("Max", id), x.account(id), x.account(off)
	request := x.must(x.giveBack(who, x.others))
	removal := console.Operation{App: x.app, Connector: x.connector, Account: account, Entitlement: x.others, Verb: console.Revoke,
		Cause: console.Cause{Kind: console.CauseReview, Ref: "campaign", Evidence: console.EvidenceDecision}}
	// A connector that refused once, so that somebody can ask it again.
	var o console.Operation
	var reason console.ID
	x.update(func(tx *store.Tx) (err error) {
		if reason, err = tx.AddReason(console.Reason{App: x.app, Account: account, Entitlement: x.others, Kind: console.ReasonRequest}); err != nil {
			return err
		}
		if o, err = tx.CreateOperation(removal, store.Circumstances{}); err != nil {
			return err
		}
		task := console.NewID(time.Now())
		if _, err = tx.DispatchOperation(o.ID, task, time.Now(), time.Now().Add(time.Minute), store.Circumstances{}); err != nil {
			return err
		}
		return tx.FinishOperation(o.ID, task, store.Answer{At: time.Now(), State: console.Declined, Text: "not now"})
	})
	for range 2 {
		x.must("", x.remove(disabled, console.AccountItself))
		var removed console.Operation
		x.update(func(tx *store.Tx) (err error) {
			removed, err = tx.CreateOperation(removal, store.Circumstances{})
			return err
		})
		x.state(x.newestOf(disabled, console.AccountItself), console.Verified)
		x.state(removed.ID, console.Verified)
		x.org.SetActive(off, true)
		x.join(id, othersGroup)
		x.look(console.SyncApplied)
	}
	says := func(err error) error {
		if err != nil && (!strings.Contains(err.Error(), "2 times") || !strings.Contains(err.Error(), "the identity provider")) {
			x.t.Errorf("it does not say where it is mastered: %v", err)
		}
		return err
	}
	table := map[string]cell{
		"request": {never: "this guard stops removals, and what is asked for is access; to ask for its end is the path give back"},
		"expiry": {try: func() error {
			x.update(func(tx *store.Tx) error { return tx.SetReasonUntil(reason, time.Now().Add(300*time.Millisecond)) })
			return says(x.overdue(account, x.others, "came back 2 times"))
		}, alarm: "access.overdue"},
		"give back":       {prepare: func() { x.cancel(who, &request) }, try: func() error { _, err := x.giveBack(who, x.others); return says(err) }},
		"action":          {try: func() error { return x.action(x.caller, "disable_user", off) }},
		"account disable": {try: func() error { return x.remove(disabled, console.AccountItself) }},
		"manual task": {prepare: func() { x.must("", x.console.DoByHand(x.t.Context(), x.caller, x.app, o.ID, "test")) },
			try: func() error { return says(x.done(x.caller, &o)) }, after: func() { x.stop(&o) }},
		"retry":     {try: func() error { return says(x.retry(x.caller, &o)) }},
		"plan":      {try: func() error { return says(x.plan(x.caller, account, x.others)) }},
		"bootstrap": {never: fileChangesNoAccess},
		"REST":      {try: func() error { return says(x.callRevoke(who, x.others)) }},
	}
	maps.Copy(table, x.decisions(&request))
	return table
}

// plan makes a plan to remove an access, and applies it as somebody who has looked at it.
func (x *scene) plan(who govern.Caller, account console.ResourceKey, e console.EntitlementKey) error {
	x.t.Helper()
	ctx := x.t.Context()
	id, err := x.console.CreatePlan(ctx, x.caller, govern.NewPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Why: "test",
		Rows: []console.PlanRow{{App: x.app, Account: account, Entitlement: e, Do: console.PlanRemove}}})
	if err != nil {
		return err
	}
	v, err := x.console.Plan(ctx, who, id, store.PlanRowFilter{}, 0, 10)
	if err != nil {
		return err
	}
	if err := x.console.ApplyPlan(ctx, who, id, v.Hash, ""); err != nil {
		return err
	}
	x.wait("the plan is carried out", func(tx *store.Tx) (bool, error) {
		p, err := tx.Plan(id)
		return p.State == console.PlanVerifying || p.State == console.PlanComplete, err
	})
	return nil
}

// newestOf returns the newest operation on an access.
func (x *scene) newestOf(account console.ResourceKey, e console.EntitlementKey) (id console.ID) {
	x.view(func(tx *store.Tx) error {
		all, err := tx.Operations(account, e)
		if len(all) > 0 {
			id = all[len(all)-1].ID
		}
		return err
	})
	return id
}
