package govern

import (
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// PolicyQuestion describes an access for which to find out who would be asked.
type PolicyQuestion struct {
	Kind        QuestionKind
	Policy      console.ID // "" for the one that applies
	App         console.ID
	Entitlement string // its id in the app; "" for having an account
	Subject     string // e-mail address
	Requester   string // e-mail address; "" for the subject, or for the caller of a removal
	Term        console.Term
	Form        map[string]string
}

// QuestionKind is the kind of a question.
type QuestionKind string

const (
	QuestionRequest   QuestionKind = "request"   // requested access
	QuestionEmergency QuestionKind = "emergency" // an emergency request
	QuestionRevoke    QuestionKind = "revoke"    // access that a person with the right removes
	QuestionGiveBack  QuestionKind = "give-back" // access that its holder gives back
	QuestionReview    QuestionKind = "review"    // access under review
)

func QuestionKinds() []QuestionKind {
	return []QuestionKind{QuestionRequest, QuestionEmergency, QuestionRevoke, QuestionGiveBack, QuestionReview}
}

// PolicyAnswer lists who would be asked, and why.
type PolicyAnswer struct {
	approve.Preview
	Question PolicyQuestion
	Passed   []console.PolicyRule // rules before the one that applies
	Names    Names
}

// TestPolicy returns who would be asked about a person's access, and why, without writing anything.
func (c *Console) TestPolicy(ctx context.Context, caller Caller, q PolicyQuestion) (answer PolicyAnswer, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		answer = PolicyAnswer{Question: q, Names: Names{}}
		if err := seesPolicies(tx, me); err != nil {
			return err
		}
		r, err := q.request(tx, me)
		if err != nil {
			return err
		}
		if answer.Preview, err = approve.Consider(tx, r, c.now()); err != nil {
			return err
		}
		if answer.Plan.Rule > 0 {
			answer.Passed = answer.Policy.Rules[:answer.Plan.Rule-1]
		}
		return answer.Names.addAsked(tx, answer.Preview.Steps)
	})
	return answer, err
}

// request returns the request for the question, if the caller may know its objects.
func (q PolicyQuestion) request(tx *store.Tx, me console.Person) (r console.Request, err error) {
	r = console.Request{Kind: console.RequestGrant, App: q.App, Entitlement: console.AccountItself, Term: q.Term, Form: q.Form, Why: "a test"}
	if !slices.Contains(QuestionKinds(), q.Kind) {
		return r, baton.Errorf(baton.Invalid, "there is no question about %q", q.Kind)
	}
	a, err := presentApp(tx, q.App)
	if err != nil {
		return r, err
	}
	if err := console.SeeAccess.Check(me, console.Object{App: &a}); err != nil {
		return r, hidden("app", err)
	}
	if q.Entitlement != "" {
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return r, err
		}
		e, err := tx.EntitlementByID(m, q.Entitlement)
		if err != nil {
			return r, err
		}
		r.Entitlement = e.Key
	}
	if r.Subject, err = q.person(tx, me, q.Subject); err != nil {
		return r, err
	}
	r.Requester = r.Subject
	switch q.Kind {
	case QuestionEmergency:
		r.Emergency = true
	case QuestionRevoke:
		r.Kind, r.Removal, r.Requester = console.RequestRevoke, console.CauseManual, me.ID
	case QuestionGiveBack:
		r.Kind = console.RequestRevoke
	case QuestionReview:
		r.Kind, r.Requester = console.RequestReview, ""
	}
	if q.Requester != "" {
		if r.Requester, err = q.person(tx, me, q.Requester); err != nil {
			return r, err
		}
	}
	if q.Policy != "" {
		p, err := tx.Policy(q.Policy)
		if err != nil {
			return r, err
		}
		r.Policy, r.PolicyVersion = p.ID, p.Version
	}
	return r, nil
}

// person returns the person with an address, if the caller may see the person.
func (q PolicyQuestion) person(tx *store.Tx, me console.Person, email string) (console.ID, error) {
	p, err := tx.PersonByEmail(email)
	if baton.KindOf(err) == baton.NotFound && console.SeePeople.Of(me, console.Object{}) {
		return "", baton.Errorf(baton.Invalid, "nobody has the address %q", email)
	}
	if err != nil {
		return "", err
	}
	if err := console.SeePeople.Check(me, console.Object{Person: &p}); err != nil {
		return "", hidden("person", err)
	}
	return p.Canonical(), nil
}
