package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// requestBody is the part of a request that is not queried.
type requestBody struct {
	What          string            `json:"what,omitempty"`
	Why           string            `json:"why,omitempty"`
	Client        console.ID        `json:"client,omitempty"`
	Form          map[string]string `json:"form,omitempty"`
	Emergency     bool              `json:"emergency,omitempty"`
	Removal       console.CauseKind `json:"removal,omitempty"`
	Asked         console.Term      `json:"asked"`
	Term          console.Term      `json:"term"`
	Start         time.Time         `json:"start,omitzero"`
	Policy        console.ID        `json:"policy"`
	PolicyVersion int               `json:"policy_version"`
	Plan          console.Plan      `json:"plan"`
	Round         int               `json:"round"`
	Step          int               `json:"step"`
	StepBegan     time.Time         `json:"step_began,omitzero"`
	OutcomeWhy    string            `json:"outcome_why,omitempty"`
	Material      string            `json:"material"`
	Whose         string            `json:"whose,omitempty"`
}

func bodyOf(r console.Request) []byte {
	return encode(requestBody{r.What, r.Why, r.Client, r.Form, r.Emergency, r.Removal, r.Asked, r.Term, r.Start, r.Policy, r.PolicyVersion, r.Plan, r.Round, r.Step, r.StepBegan, r.OutcomeWhy, r.Material, r.Whose})
}

const requestColumns = "id, number, kind, app, entitlement, account, subject, requester, state, outcome, operation, reason, review, body, created, closed, version"

func scanRequest(r engine.Row) console.Request {
	q := console.Request{ID: console.ID(r.Text(0)), Number: r.Int(1), Kind: console.RequestKind(r.Text(2)), App: console.ID(r.Text(3)), Entitlement: console.EntitlementKey(r.Int(4)),
		Account: console.ResourceKey(r.Int(5)), Subject: console.ID(r.Text(6)), Requester: console.ID(r.Text(7)), State: console.RequestState(r.Text(8)),
		Outcome: console.Outcome(r.Text(9)), Operation: console.ID(r.Text(10)), Reason: console.ID(r.Text(11)), Review: console.ReviewState(r.Text(12)),
		Created: at(r, 14), Closed: at(r, 15), Version: r.Int(16)}
	var b requestBody
	decode(r.Bytes(13), &b)
	q.What, q.Why, q.Client, q.Form, q.Emergency, q.Removal, q.Asked, q.Term, q.Start = b.What, b.Why, b.Client, b.Form, b.Emergency, b.Removal, b.Asked, b.Term, b.Start
	q.Policy, q.PolicyVersion = b.Policy, b.PolicyVersion
	q.Plan, q.Round, q.Step, q.StepBegan, q.OutcomeWhy, q.Material, q.Whose = b.Plan, b.Round, b.Step, b.StepBegan, b.OutcomeWhy, b.Material, b.Whose
	return q
}

// AddRequest adds a request. It sets an empty ID and the number. AlreadyExists if an undecided
// request for the same access is open.
func (t *Tx) AddRequest(r console.Request) (console.Request, error) {
	if r.ID == "" {
		r.ID = console.NewID(t.by.At)
	}
	number, err := t.Numbers("request", 1)
	if err != nil {
		return r, err
	}
	r.Number, r.Created, r.Version, r.Client = number, t.by.At, 1, t.by.Client
	err = t.insert("an open request for the same", "INSERT INTO request ("+requestColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
		r.ID, r.Number, r.Kind, r.App, r.Entitlement, r.Account, null(r.Subject), r.Requester, r.State, r.Outcome, null(r.Operation), null(r.Reason), r.Review, bodyOf(r), r.Created, r.Closed, r.Version)
	if err != nil {
		return r, err
	}
	if err := t.dueRequest(r); err != nil {
		return r, err
	}
	return r, t.requestEvent(r, "filed", map[string]any{"kind": r.Kind, "entitlement": r.Entitlement, "term": r.Term, "start": timeOrNil(r.Start),
		"emergency": r.Emergency, "policy": r.Policy, "policy_version": r.PolicyVersion})
}

func (t *Tx) requestEvent(r console.Request, kind string, data map[string]any) error {
	if data == nil {
		data = map[string]any{}
	}
	data["number"], data["requester"], data["what"], data["for"] = r.Number, r.Requester, r.What, r.Term.Words()
	if r.Kind == console.RequestRevoke {
		data["revoke"] = true
	}
	if r.Subject == "" {
		data["whose"] = r.Whose
	}
	e := console.Event{Kind: "request." + kind, App: r.App, Person: r.Subject, Account: r.Account, Entitlement: r.Entitlement, Object: string(r.ID)}
	return t.event(e, data)
}

// ChangeRequest updates a request, with an event. r.Version must be the version that was read.
func (t *Tx) ChangeRequest(r console.Request, kind string, data map[string]any) (console.Request, error) {
	n, err := t.e.Exec(`UPDATE request SET state = $2, outcome = $3, operation = $4, reason = $5, review = $6, body = $7, closed = $8, account = $9, subject = $10, version = version + 1
		WHERE id = $1 AND version = $11`,
		r.ID, r.State, r.Outcome, null(r.Operation), null(r.Reason), r.Review, bodyOf(r), r.Closed, r.Account, null(r.Subject), r.Version)
	if err == nil && n != 1 {
		err = checkVersion("the request", r.Version+1, r.Version)
	}
	if err != nil {
		return r, err
	}
	r.Version++
	if r.State != console.RequestAsking {
		if _, err := t.e.Exec("DELETE FROM request_asked WHERE request = $1", r.ID); err != nil {
			return r, err
		}
	}
	if err := t.dueRequest(r); err != nil {
		return r, err
	}
	return r, t.requestEvent(r, kind, data)
}

// dueRequest sets the due row of a request: the time limit of its step, the end of its wait, or its
// start.
func (t *Tx) dueRequest(r console.Request) error {
	var when time.Time
	earliest := func(at time.Time) {
		if !at.IsZero() && (when.IsZero() || at.Before(when)) {
			when = at
		}
	}
	switch {
	case r.State == console.RequestScheduled:
		when = r.Start
	case r.State.Deciding() && r.Step < len(r.Plan.Steps):
		s := r.Plan.Steps[r.Step]
		if s.Limit > 0 {
			earliest(r.StepBegan.Add(time.Duration(s.Limit)))
		}
		if s.Wait != nil {
			earliest(s.Wait.Ends(r.StepBegan))
			if s.Wait.Until != "" {
				earliest(t.by.At.Add(console.WaitLook))
			}
			// A sync that was applied while the request was filed did not see it: one more look.
			if again := r.StepBegan.Add(console.WaitLook); s.Wait.Requirement && t.by.At.Before(again) {
				earliest(again)
			}
		}
	}
	if when.IsZero() {
		return t.RemoveDue(console.DueRequest, string(r.ID))
	}
	return t.SetDue(console.DueRequest, string(r.ID), when, nil)
}

// Request returns a request.
func (t *Tx) Request(id console.ID) (console.Request, error) {
	return get(t, scanRequest, "request", "SELECT "+requestColumns+" FROM request WHERE id = $1", id)
}

// RequestByNumber returns the request with a number.
func (t *Tx) RequestByNumber(n int64) (console.Request, error) {
	return get(t, scanRequest, "request", "SELECT "+requestColumns+" FROM request WHERE number = $1", n)
}

// LockRequest returns a request and blocks other commands that lock it until this one ends. If both
// are locked, lock the app first.
func (t *Tx) LockRequest(id console.ID) (console.Request, error) {
	return get(t, scanRequest, "request", "SELECT "+requestColumns+" FROM request WHERE id = $1 FOR UPDATE", id)
}

// RequestFilter selects requests. Empty fields select all; one of Person and App is used.
type RequestFilter struct {
	Person console.ID // the requester or the subject
	App    console.ID
	Open   bool // not closed
	Review bool // emergency requests that need a review
}

// Requests returns up to n requests with smaller numbers than the given one, the newest first; 0
// starts with the newest.
func (t *Tx) Requests(f RequestFilter, before int64, n int) ([]console.Request, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = 1<<63 - 1
	}
	where, args := "number < $1", []any{before, n}
	switch {
	case f.Person != "":
		where += " AND (subject = $3 OR requester = $3)"
		args = append(args, f.Person)
	case f.App != "":
		where += " AND app = $3"
		args = append(args, f.App)
	}
	if f.Open {
		where += " AND state <> 'closed'"
	}
	if f.Review {
		where += " AND review = 'due'"
	}
	return list(t, scanRequest, "SELECT "+requestColumns+" FROM request WHERE "+where+" ORDER BY number DESC LIMIT $2", args...)
}

// OpenRequests returns the open requests for a person's access, the oldest first.
func (t *Tx) OpenRequests(app, subject console.ID, e console.EntitlementKey) ([]console.Request, error) {
	return list(t, scanRequest, "SELECT "+requestColumns+" FROM request WHERE subject = $1 AND app = $2 AND entitlement = $3 AND state <> 'closed' ORDER BY number", subject, app, e)
}

// OpenRequestsUnowned returns the open requests for the access of an account that nobody owned when
// they were filed, the oldest first.
func (t *Tx) OpenRequestsUnowned(account console.ResourceKey, e console.EntitlementKey) ([]console.Request, error) {
	return list(t, scanRequest, "SELECT "+requestColumns+" FROM request WHERE subject IS NULL AND account = $1 AND entitlement = $2 AND state <> 'closed' ORDER BY number", account, e)
}

// RequestsFor returns up to n requests for a person's access, the newest first.
func (t *Tx) RequestsFor(app, subject console.ID, e console.EntitlementKey, n int) ([]console.Request, error) {
	return list(t, scanRequest, "SELECT "+requestColumns+" FROM request WHERE subject = $1 AND app = $2 AND entitlement = $3 ORDER BY number DESC LIMIT $4", subject, app, e, n)
}

// AskingRequests returns up to n requests that wait for a decision, with greater numbers than the
// given one.
func (t *Tx) AskingRequests(after int64, n int) ([]console.Request, error) {
	return list(t, scanRequest, "SELECT "+requestColumns+" FROM request WHERE state = 'asking' AND number > $1 ORDER BY number LIMIT $2", after, n)
}

// AskedRequest is a request that waits for somebody's decision.
type AskedRequest struct {
	console.Asked
	Request console.Request
	Since   time.Time
}

// SetAsked sets the people who are asked about a request. It reports whether somebody new is asked.
func (t *Tx) SetAsked(request console.ID, asked []console.Asked) (more bool, err error) {
	before, err := t.AskedAbout(request)
	if err != nil {
		return false, err
	}
	since := map[console.ID]time.Time{}
	for _, a := range before {
		since[a.Person] = a.Since
	}
	if _, err := t.e.Exec("DELETE FROM request_asked WHERE request = $1", request); err != nil {
		return false, err
	}
	done := map[console.ID]bool{}
	for _, a := range asked {
		if done[a.Person] {
			continue
		}
		done[a.Person] = true
		when, was := since[a.Person]
		if !was {
			when, more = t.by.At, true
		}
		if err := t.insert("who is asked", "INSERT INTO request_asked (person, request, instead_of, why, since) VALUES ($1, $2, $3, $4, $5)",
			a.Person, request, null(a.For), []byte(a.Why), when); err != nil {
			return false, err
		}
	}
	return more, nil
}

// AskedAbout returns the people who are asked about a request, and since when.
func (t *Tx) AskedAbout(request console.ID) ([]AskedRequest, error) {
	return list(t, func(r engine.Row) AskedRequest {
		return AskedRequest{Asked: console.Asked{Person: console.ID(r.Text(0)), For: console.ID(r.Text(1)), Why: str(r, 2)}, Since: at(r, 3)}
	}, "SELECT person, instead_of, why, since FROM request_asked WHERE request = $1 ORDER BY since, person", request)
}

// AskedOf returns up to n requests that wait for a person's decision, with greater numbers than the
// given one, the oldest first.
func (t *Tx) AskedOf(person console.ID, after int64, n int) ([]AskedRequest, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, func(r engine.Row) AskedRequest {
		a := AskedRequest{Request: scanRequest(r)}
		a.Person, a.For, a.Why, a.Since = person, console.ID(r.Text(17)), str(r, 18), at(r, 19)
		return a
	}, "SELECT r.id, r.number, r.kind, r.app, r.entitlement, r.account, r.subject, r.requester, r.state, r.outcome, r.operation, r.reason, r.review, r.body, r.created, r.closed, r.version,"+
		" a.instead_of, a.why, a.since FROM request_asked a JOIN request r ON r.id = a.request WHERE a.person = $1 AND r.number > $2 ORDER BY r.number LIMIT $3", person, after, n)
}

// CountAsked returns the number of requests that wait for a person's decision. It may count some
// that do not any more.
func (t *Tx) CountAsked(person console.ID) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "requests", "SELECT count(*) FROM request_asked WHERE person = $1", person)
}

// NoteRequest appends an event about a request without changing the request.
func (t *Tx) NoteRequest(r console.Request, kind string, data map[string]any) error {
	return t.requestEvent(r, kind, data)
}

// SkipRequest sets the due row of a request again.
func (t *Tx) SkipRequest(id console.ID) error {
	r, err := t.Request(id)
	if err != nil {
		return err
	}
	return t.dueRequest(r)
}

// RequestsOfOperation returns the open requests that an operation carries out.
func (t *Tx) RequestsOfOperation(operation console.ID) ([]console.Request, error) {
	return list(t, scanRequest, "SELECT "+requestColumns+" FROM request WHERE operation = $1 AND state = 'carrying' ORDER BY number", operation)
}

// AddEntry appends an entry to the timeline of a request, with the time and actor of the command.
func (t *Tx) AddEntry(e console.RequestEntry) error {
	e.ID, e.At, e.Actor = console.NewID(t.by.At), t.by.At.UTC(), t.by.Actor
	if e.OnBehalfOf == "" {
		e.OnBehalfOf = t.by.OnBehalfOf
	}
	n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "entries", "SELECT COALESCE(max(number), 0) + 1 FROM request_entry WHERE request = $1", e.Request)
	if err != nil {
		return err
	}
	return t.insert("entry", "INSERT INTO request_entry (request, number, body) VALUES ($1, $2, $3)", e.Request, n, encode(e))
}

// Entries returns the timeline of a request.
func (t *Tx) Entries(request console.ID) ([]console.RequestEntry, error) {
	return list(t, func(r engine.Row) (e console.RequestEntry) {
		decode(r.Bytes(0), &e)
		return e
	}, "SELECT body FROM request_entry WHERE request = $1 ORDER BY number", request)
}

// Recheck makes the worker determine the approvers of all open requests again.
func (t *Tx) Recheck() error { return t.SetDue(console.DueRecheck, "console", t.by.At, nil) }

// operationMoved updates the requests that an operation carries out.
func (t *Tx) operationMoved(o console.Operation, data any) error {
	requests, err := t.RequestsOfOperation(o.ID)
	if err != nil {
		return err
	}
	for _, r := range requests {
		if err := t.moveRequest(r, o, data); err != nil {
			return err
		}
	}
	if o.Entitlement == console.AccountItself && o.Account == 0 {
		return t.creationMoved(o)
	}
	return nil
}

// creationMoved tells what waits for a new account that it is made by hand, or not at all.
func (t *Tx) creationMoved(creation console.Operation) error {
	switch creation.State {
	case console.Manual, console.Declined, console.Cancelled:
	default:
		return nil
	}
	waiting, err := list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND person = $2 AND account = 0 AND entitlement <> 0 AND alive ORDER BY created, id FOR UPDATE",
		creation.App, creation.Person)
	if err != nil {
		return err
	}
	for _, o := range waiting {
		if creation.State != console.Manual {
			if o.State.CanBecome(console.Cancelled) {
				err = t.CancelOperation(o.ID, "no account was made. "+creation.Answer)
			}
			if err != nil {
				return err
			}
			continue
		}
		requests, err := t.RequestsOfOperation(o.ID)
		if err != nil {
			return err
		}
		for _, r := range requests {
			if err := t.tellByHand(r, "The account is made by hand first. "+creation.Answer); err != nil {
				return err
			}
		}
	}
	return nil
}

// TellByHand says in the time line of a request that a person carries it out.
func (t *Tx) TellByHand(r console.Request, o console.Operation) error {
	return t.tellByHand(r, o.Answer)
}

func (t *Tx) tellByHand(r console.Request, why string) error {
	if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryByHand, Round: r.Round, Text: why}); err != nil {
		return err
	}
	return t.requestEvent(r, "by-hand", map[string]any{"why": why})
}

func (t *Tx) moveRequest(r console.Request, o console.Operation, data any) error {
	switch o.State {
	case console.Manual:
		return t.TellByHand(r, o)
	case console.Applied:
		return t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryEffect, Round: r.Round})
	case console.Verified:
		if r.Kind == console.RequestRevoke {
			return t.CloseRequest(r, console.OutcomeRevoked, "")
		}
		if err := t.beginReason(r, o); err != nil {
			return err
		}
		return t.CloseRequest(r, console.OutcomeGranted, "")
	case console.Contradicted:
		return t.CloseRequest(r, console.OutcomeError, "The connector said that it was done, and the sync after it shows the opposite.")
	case console.Declined:
		return t.CloseRequest(r, console.OutcomeError, "The connector declined: "+o.Answer)
	case console.Cancelled:
		return t.CloseRequest(r, console.OutcomeError, "It was not carried out: "+o.Answer)
	case console.Superseded:
		by, err := t.supersededBy(o, data)
		if err != nil {
			return err
		}
		if by != nil && by.Verb == o.Verb { // the same change by another operation
			r.Operation = by.ID
			_, err := t.ChangeRequest(r, "carried", map[string]any{"operation": by.ID})
			return err
		}
		return t.CloseRequest(r, console.OutcomeCancelled, "A later decision replaced it.")
	}
	return nil
}

func (t *Tx) supersededBy(o console.Operation, data any) (*console.Operation, error) {
	values, ok := data.(map[string]any)
	if !ok {
		return nil, nil
	}
	by, ok := values["by"].(console.ID)
	if !ok {
		return nil, nil
	}
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE id = $1", by)
}

// beginReason starts the duration of a request whose answer was lost. The access took effect, as far
// as is known, when the sync that shows it began.
func (t *Tx) beginReason(r console.Request, o console.Operation) error {
	if r.Reason == "" || r.Term.For == 0 {
		return nil
	}
	reason, err := t.Reason(r.Reason)
	if err != nil || !reason.Until.IsZero() || !reason.Ended.IsZero() {
		return err
	}
	effect := t.by.At
	if s, err := t.SyncByNumber(o.Verified); err == nil {
		effect = s.Began
	} else if baton.KindOf(err) != baton.NotFound {
		return err
	}
	return t.SetReasonUntil(reason.ID, effect.Add(time.Duration(r.Term.For)))
}

// CloseRequest ends a request. Unless it was granted, its reason ends too.
func (t *Tx) CloseRequest(r console.Request, outcome console.Outcome, why string) error {
	r.State, r.Outcome, r.OutcomeWhy, r.Closed = console.RequestClosed, outcome, why, t.by.At
	if outcome != console.OutcomeGranted && r.Kind == console.RequestGrant && r.Reason != "" {
		if err := t.EndReason(r.Reason, "the request ended: "+string(outcome)); err != nil {
			return err
		}
	}
	if _, err := t.ChangeRequest(r, string(outcome), map[string]any{"why": why}); err != nil {
		return err
	}
	if err := t.planAnswered(r); err != nil {
		return err
	}
	return t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryClosed, Round: r.Round, Text: why})
}
