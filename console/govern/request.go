package govern

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// NewRequest holds the fields of a new request.
type NewRequest struct {
	App         console.ID
	Entitlement console.EntitlementKey
	For         console.ID          // the person who gets the access; "" for the caller
	Email       string              // of that person, if For is empty
	Account     console.ResourceKey // 0: the person's only account
	Term        console.Term
	Start       time.Time // zero: now
	Why         string
	Form        map[string]string
	// AnswersLater lets the request wait for answers that are missing.
	AnswersLater bool
	Emergency    bool
}

// Names are people by their IDs, for pages.
type Names map[console.ID]console.Person

// Of returns the name of a person.
func (n Names) Of(id console.ID) string { return n[id].Name }

func (n Names) add(tx *store.Tx, ids ...console.ID) error {
	for _, id := range ids {
		if _, known := n[id]; known || id == "" {
			continue
		}
		p, err := tx.Person(id)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		n[id] = p
	}
	return nil
}

// addAsked adds the people whom the steps of a plan ask or exclude.
func (n Names) addAsked(tx *store.Tx, steps []console.StepAsked) error {
	for _, s := range steps {
		for _, a := range s.Asked {
			if err := n.add(tx, a.Person, a.For); err != nil {
				return err
			}
		}
		for _, e := range s.Excluded {
			if err := n.add(tx, e.Person); err != nil {
				return err
			}
		}
	}
	return nil
}

// request returns the request to file, if the person may file it.
func (n NewRequest) request(tx *store.Tx, me console.Person) (console.Request, error) {
	r := console.Request{Kind: console.RequestGrant, App: n.App, Entitlement: n.Entitlement, Account: n.Account, Subject: me.ID, Requester: me.ID,
		Term: n.Term, Start: n.Start, Why: n.Why, Form: n.Form, AnswersLater: n.AnswersLater, Emergency: n.Emergency}
	if n.For == "" && n.Email == "" {
		return r, nil
	}
	subject, err := console.Person{}, error(nil)
	if n.For != "" {
		subject, err = tx.Person(n.For)
	} else {
		subject, err = tx.PersonByEmail(n.Email)
	}
	if baton.KindOf(err) == baton.NotFound && console.Ask.Of(me, console.Object{}) {
		return r, baton.Errorf(baton.Invalid, "nobody has the address %q", n.Email)
	}
	if err != nil {
		return r, err
	}
	if err := console.Ask.Check(me, console.Object{Person: &subject}); err != nil {
		return r, hidden("person", err)
	}
	r.Subject = subject.Canonical()
	return r, nil
}

// RequestForm holds the data of the form for a new request.
type RequestForm struct {
	approve.Preview
	Request console.Request
	Choices []console.Person // people whom the caller may file for, the caller first
	Anybody bool             // the caller may file for everybody, by e-mail address
	Names   Names
	Open    []console.Request // open requests for the same entitlement
	Effect
}

// RequestForm returns the preview of a request, without writing anything.
func (c *Console) RequestForm(ctx context.Context, caller Caller, n NewRequest) (f RequestForm, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		f = RequestForm{Names: Names{}}
		if f.Choices, f.Anybody, err = subjects(tx, me); err != nil {
			return err
		}
		if f.Request, err = n.request(tx, me); err != nil {
			return err
		}
		asked := f.Request
		if asked.Why == "" {
			asked.Why = "–" // a placeholder: the form requires a text
		}
		if f.Preview, err = approve.Consider(tx, asked, c.now()); err != nil {
			return err
		}
		if err := f.Names.addAsked(tx, f.Steps); err != nil {
			return err
		}
		if f.Open, err = tx.OpenRequests(f.App.ID, f.Subject.ID, n.Entitlement); err != nil {
			return err
		}
		f.Effect, err = c.effect(tx, f.Situation, f.Request)
		return err
	})
	return f, err
}

// subjects returns the people whom a person may file for, the person first.
func subjects(tx *store.Tx, me console.Person) ([]console.Person, bool, error) {
	reports, err := tx.Reports(me.ID)
	return append([]console.Person{me}, reports...), console.Ask.Of(me, console.Object{}), err
}

// SubmitRequest files a request. If nobody may decide it, the error says what to fix.
func (c *Console) SubmitRequest(ctx context.Context, caller Caller, n NewRequest) (r console.Request, err error) {
	err = c.change(ctx, caller, asking, func(tx *store.Tx, me console.Person) error {
		if r, err = n.request(tx, me); err != nil {
			return err
		}
		r, err = approve.File(tx, r)
		return err
	})
	return r, c.refused(ctx, caller, err)
}

// refused records the refusal of a guard in a transaction of its own, because the command's
// transaction was rolled back. It returns the refusal.
func (c *Console) refused(ctx context.Context, caller Caller, err error) error {
	denied := (*approve.Denied)(nil)
	if !errors.As(err, &denied) {
		return err
	}
	if e := c.store.Update(context.WithoutCancel(ctx), c.by(caller), func(tx *store.Tx) error {
		return tx.DenyOperation(denied.Operation, err)
	}); e != nil {
		return e
	}
	return err
}

// GiveBack ends access of the caller early.
func (c *Console) GiveBack(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey, account console.ResourceKey, why string) (r console.Request, err error) {
	return c.GiveBackOf(ctx, caller, app, caller.Person.ID, e, account, why)
}

// GiveBackOf ends access of a person early, for example by the person's manager.
func (c *Console) GiveBackOf(ctx context.Context, caller Caller, app, person console.ID, e console.EntitlementKey, account console.ResourceKey, why string) (r console.Request, err error) {
	err = c.change(ctx, caller, asking, func(tx *store.Tx, me console.Person) error {
		subject, err := tx.Person(person)
		if err != nil {
			return err
		}
		if err := console.GiveBack.Check(me, console.Object{Person: &subject}); err != nil {
			if !console.SeePeople.Of(me, console.Object{Person: &subject}) {
				err = hidden("person", err)
			}
			return err
		}
		if why == "" {
			why = "given back"
		}
		r, err = approve.File(tx, console.Request{Kind: console.RequestRevoke, App: app, Entitlement: e, Account: account, Subject: subject.Canonical(), Requester: me.ID, Why: why})
		return err
	})
	return r, c.refused(ctx, caller, err)
}

// ExtendRequest files an earlier request of the caller again.
func (c *Console) ExtendRequest(ctx context.Context, caller Caller, id console.ID) (r console.Request, err error) {
	err = c.change(ctx, caller, asking, func(tx *store.Tx, me console.Person) error {
		before, err := seeRequest(tx, me, id)
		if err != nil {
			return err
		}
		subject, err := tx.Person(before.Subject)
		if err != nil {
			return err
		}
		if err := console.Ask.Check(me, console.Object{Person: &subject}); err != nil {
			return err
		}
		term := before.Asked
		if term.For == 0 && !term.Until.IsZero() {
			term = console.Term{For: console.Duration(term.Until.Sub(before.Created))}
		}
		r, err = approve.File(tx, console.Request{Kind: console.RequestGrant, App: before.App, Entitlement: before.Entitlement, Account: before.Account, Subject: before.Subject,
			Requester: me.ID, Term: term, Why: before.Why, Form: before.Form})
		return err
	})
	return r, c.refused(ctx, caller, err)
}

// CancelRequest ends a request before it takes effect.
func (c *Console) CancelRequest(ctx context.Context, caller Caller, id console.ID, why string) error {
	return c.change(ctx, caller, asking, func(tx *store.Tx, me console.Person) error {
		r, err := seeRequest(tx, me, id)
		if err != nil {
			return err
		}
		if r.Subject != me.ID && r.Requester != me.ID {
			a, err := tx.App(r.App)
			if err != nil {
				return err
			}
			if err := console.CancelRequests.Check(me, console.Object{App: &a}); err != nil {
				return err
			}
			if why == "" {
				return baton.Errorf(baton.Invalid, "the reason is missing")
			}
		}
		return approve.Cancel(tx, id, why)
	})
}

// CommentRequest adds a comment to a request.
func (c *Console) CommentRequest(ctx context.Context, caller Caller, id console.ID, text string) error {
	return c.change(ctx, caller, commenting, func(tx *store.Tx, me console.Person) error {
		if _, err := seeRequest(tx, me, id); err != nil {
			return err
		}
		return approve.Comment(tx, id, text)
	})
}

// AnswerRequest adds answers to the form of a request of the caller.
func (c *Console) AnswerRequest(ctx context.Context, caller Caller, id console.ID, answers map[string]string) error {
	return c.refused(ctx, caller, c.change(ctx, caller, asking, func(tx *store.Tx, me console.Person) error {
		r, err := seeRequest(tx, me, id)
		if err != nil {
			return err
		}
		if r.Subject != me.ID && r.Requester != me.ID {
			return baton.Errorf(baton.PermissionDenied, "only those who asked, and those whose access it is, answer its questions")
		}
		_, err = approve.Answer(tx, id, answers)
		return err
	}))
}

// EscalateRequest makes a request of the caller an emergency request.
func (c *Console) EscalateRequest(ctx context.Context, caller Caller, id console.ID, why string) error {
	return c.refused(ctx, caller, c.change(ctx, caller, asking, func(tx *store.Tx, me console.Person) error {
		r, err := seeRequest(tx, me, id)
		if err != nil {
			return err
		}
		if r.Subject != me.ID && r.Requester != me.ID {
			return baton.Errorf(baton.PermissionDenied, "only those who asked, and those whose access it is, make it an emergency")
		}
		_, err = approve.Escalate(tx, id, why)
		return err
	}))
}

// ReviewEmergency records the result of the review of an emergency request.
func (c *Console) ReviewEmergency(ctx context.Context, caller Caller, id console.ID, text string) error {
	return c.refused(ctx, caller, c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		if _, err := seeRequest(tx, me, id); err != nil {
			return err
		}
		if err := console.ReviewEmergencies.Check(me, console.Object{}); err != nil {
			return err
		}
		return approve.Reviewed(tx, id, text)
	}))
}

// seeRequest returns a request if the person may see it: as the requester, the subject, a current or
// former approver, or through a right.
func seeRequest(tx *store.Tx, me console.Person, id console.ID) (console.Request, error) {
	r, err := tx.Request(id)
	if err != nil {
		return r, err
	}
	if r.Subject == me.ID || r.Requester == me.ID {
		return r, nil
	}
	a, err := tx.App(r.App)
	if err != nil {
		return r, err
	}
	missing := console.SeeRequests.Check(me, console.Object{App: &a})
	if missing == nil {
		return r, nil
	}
	asked, err := tx.AskedAbout(id)
	if err != nil || slices.ContainsFunc(asked, func(a store.AskedRequest) bool { return a.Person == me.ID }) {
		return r, err
	}
	entries, err := tx.Entries(id)
	if err != nil || slices.ContainsFunc(entries, func(e console.RequestEntry) bool {
		return e.Actor.Person() == me.ID || slices.Contains(e.To, me.ID)
	}) {
		return r, err
	}
	return r, hidden("request", missing)
}

// RequestSummary is a request in a list.
type RequestSummary struct {
	console.Request
	AppName   string
	Name      string         // of the entitlement
	Subject   console.Person // only Name, if nobody owns the account
	Requester console.Person
	Asked     []store.AskedRequest
	Names     Names
	Operation *console.Operation
	// Creation is the operation that first creates the account; nil if there is none.
	Creation *console.Operation
}

func summarizeRequest(tx *store.Tx, r console.Request) (s RequestSummary, err error) {
	s = RequestSummary{Request: r, Names: Names{}}
	a, err := tx.App(r.App)
	if err != nil {
		return s, err
	}
	if s.AppName, s.Name = a.Name, approve.AccountName; r.Entitlement != console.AccountItself {
		if s.Name, err = requestedName(tx, r); err != nil {
			return s, err
		}
	}
	if r.Subject == "" {
		s.Subject.Name = r.Whose
	} else if s.Subject, err = tx.Person(r.Subject); err != nil {
		return s, err
	}
	if s.Requester, err = tx.Person(r.Requester); err != nil {
		return s, err
	}
	if s.Asked, err = tx.AskedAbout(r.ID); err != nil {
		return s, err
	}
	for _, asked := range s.Asked {
		if err := s.Names.add(tx, asked.Person, asked.For); err != nil {
			return s, err
		}
	}
	if r.Operation != "" {
		o, err := tx.Operation(r.Operation)
		if err != nil {
			return s, err
		}
		s.Operation = &o
		if o.Account == 0 && o.Entitlement != console.AccountItself && o.State.Alive() {
			if s.Creation, err = tx.AccountCreation(r.App, o.Person); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// requestedName returns the current or last name of an entitlement.
func requestedName(tx *store.Tx, r console.Request) (string, error) {
	m, err := tx.Moment(r.App, time.Time{})
	if err != nil {
		return "", err
	}
	e, err := tx.Entitlement(m, r.Entitlement)
	if baton.KindOf(err) == baton.NotFound {
		if m, err = tx.Moment(r.App, r.Created); err != nil {
			return "", err
		}
		if e, err = tx.Entitlement(m, r.Entitlement); baton.KindOf(err) == baton.NotFound {
			return "something that is gone", nil
		}
	}
	if e.Name == "" {
		return e.ID, err
	}
	return e.Name, err
}

// RequestQuery selects requests.
type RequestQuery struct {
	All    bool // includes requests of others that the caller may see
	App    console.ID
	Open   bool
	Review bool
	Before int64
	N      int
}

// Requests returns a page of requests, the newest first, and where the next page begins; 0 at the
// end.
func (c *Console) Requests(ctx context.Context, caller Caller, q RequestQuery) (rows []RequestSummary, next int64, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		rows, next = nil, 0
		if q.N < 1 || q.N >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d requests", store.PageSize-1)
		}
		f := store.RequestFilter{Open: q.Open, Review: q.Review}
		switch {
		case q.App != "":
			a, err := tx.App(q.App)
			if err != nil {
				return err
			}
			if err := console.SeeRequests.Check(me, console.Object{App: &a}); err != nil {
				return hidden("app", err)
			}
			f.App = a.ID
		case q.All:
			if err := console.SeeRequests.Check(me, console.Object{}); err != nil {
				return err
			}
		default:
			f.Person = me.ID
		}
		found, err := tx.Requests(f, q.Before, q.N+1)
		if err != nil {
			return err
		}
		for i, r := range found {
			if i == q.N {
				next = found[i-1].Number
				break
			}
			s, err := summarizeRequest(tx, r)
			if err != nil {
				return err
			}
			rows = append(rows, s)
		}
		return nil
	})
	return rows, next, err
}

// RequestVersion returns the version of a request as the caller sees it.
func (c *Console) RequestVersion(ctx context.Context, caller Caller, id console.ID) (v Version, err error) {
	err = c.look(ctx, caller, func(tx *store.Tx, me console.Person) error {
		r, err := seeRequest(tx, me, id)
		if err != nil {
			return err
		}
		s, err := summarizeRequest(tx, r)
		if err != nil {
			return err
		}
		entries, err := tx.Entries(id)
		if err != nil {
			return err
		}
		h := sha256.New()
		fmt.Fprintln(h, r.Version, len(entries))
		for _, a := range s.Asked {
			fmt.Fprintln(h, a.Person)
		}
		if s.Operation != nil {
			fmt.Fprintln(h, s.Operation.ID, s.Operation.Version, s.Operation.State)
		}
		if s.Creation != nil {
			fmt.Fprintln(h, s.Creation.ID, s.Creation.Version, s.Creation.State)
		}
		if r.Account != 0 {
			a, err := tx.Access(r.App, r.Account, r.Entitlement, c.now())
			if err != nil {
				return err
			}
			fmt.Fprintln(h, a.State(c.now()))
		}
		v = versionOf(h)
		return nil
	})
	return v, err
}

// RequestNumber returns the ID of a request that the caller may see.
func (c *Console) RequestNumber(ctx context.Context, caller Caller, number int64) (id console.ID, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		r, err := tx.RequestByNumber(number)
		if err == nil {
			_, err = seeRequest(tx, me, r.ID)
		}
		id = r.ID
		return err
	})
	return id, err
}
