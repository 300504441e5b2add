package store

import (
	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const identityColumns = "SELECT issuer, subject, person, email, bound, seen FROM identity WHERE "

func scanIdentity(r engine.Row) console.Identity {
	return console.Identity{Issuer: str(r, 0), Subject: str(r, 1), Person: console.ID(r.Text(2)), Email: str(r, 3), Bound: at(r, 4), Seen: at(r, 5)}
}

// Identity returns an identity with its person. NotFound if nobody has it.
func (t *Tx) Identity(issuer, subject string) (console.Identity, error) {
	return get(t, scanIdentity, "identity", identityColumns+"issuer = $1 AND subject = $2", []byte(issuer), []byte(subject))
}

// Identities returns all identities of a person.
func (t *Tx) Identities(person console.ID) ([]console.Identity, error) {
	return list(t, scanIdentity, identityColumns+"person = $1 ORDER BY issuer, subject", person)
}

// BindIdentity assigns an identity to a person permanently. AlreadyExists if it has a person;
// Refused if the person is not active, or has another identity of the same issuer.
func (t *Tx) BindIdentity(i console.Identity) error {
	p, err := t.lockPerson(i.Person)
	if err != nil {
		return err
	}
	if p.Status != console.PersonActive || p.MergedInto != "" {
		return errNotActive(p)
	}
	if err := t.keepBreakGlass(i.Person); err != nil {
		return err
	}
	others, err := t.Identities(i.Person)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.Issuer == i.Issuer {
			return baton.Errorf(baton.Refused, "%s signs in with another account of the provider", p.Name).
				WithFix("If that account is gone, a Super Administrator removes it on the page of the person.")
		}
	}
	err = t.insert("the identity", "INSERT INTO identity (issuer, subject, person, email, bound, seen) VALUES ($1, $2, $3, $4, $5, $5)",
		[]byte(i.Issuer), []byte(i.Subject), i.Person, []byte(i.Email), t.by.At)
	if err != nil {
		return err
	}
	return t.event(console.Event{Kind: "identity.bound", Person: i.Person, Object: string(i.Person)}, map[string]any{"issuer": i.Issuer, "subject": i.Subject})
}

// SeeIdentity records the use of an identity, and the e-mail address that the provider gave.
func (t *Tx) SeeIdentity(issuer, subject, email string) error {
	return t.change("identity", "UPDATE identity SET seen = $3, email = $4 WHERE issuer = $1 AND subject = $2", []byte(issuer), []byte(subject), t.by.At, []byte(email))
}

// RemoveIdentity removes a person's identity at an issuer, and ends the person's sessions.
func (t *Tx) RemoveIdentity(person console.ID, issuer, subject string) error {
	if err := t.change("identity", "DELETE FROM identity WHERE issuer = $1 AND subject = $2 AND person = $3", []byte(issuer), []byte(subject), person); err != nil {
		return err
	}
	if err := t.endLogin(person); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "identity.removed", Person: person, Object: string(person)}, map[string]any{"issuer": issuer, "subject": subject})
}
