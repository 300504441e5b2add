package store

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AddClient adds a client of an active person. It sets an empty ID. AlreadyExists if the client id
// is taken.
func (t *Tx) AddClient(c console.Client) (console.ID, error) {
	if c.ID == "" {
		c.ID = console.NewID(t.by.At)
	}
	if err := need("the credential's name", c.Name); err != nil {
		return "", err
	}
	if err := console.CheckScopes(c.Scopes, c.Service); err != nil {
		return "", err
	}
	if len(c.PublicKey) != ed25519.PublicKeySize {
		return "", baton.Errorf(baton.Invalid, "the credential has no public key")
	}
	p, err := t.lockPerson(c.Person)
	if err != nil {
		return "", err
	}
	if p.Status != console.PersonActive || p.MergedInto != "" {
		return "", baton.Errorf(baton.Refused, "%s is not active", p.Name)
	}
	err = t.insert("client id "+c.ClientID, `INSERT INTO client (id, client_id, name, person, service, scopes, public_key, creator, created, expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		c.ID, []byte(c.ClientID), []byte(c.Name), c.Person, c.Service, joinScopes(c.Scopes), []byte(c.PublicKey), c.Creator, t.by.At, c.Expires)
	if err != nil {
		return "", err
	}
	return c.ID, t.clientEvent(c, "client.added", map[string]any{"client_id": c.ClientID, "scopes": c.Scopes, "service": c.Service, "expires": c.Expires.UTC()})
}

func (t *Tx) clientEvent(c console.Client, kind string, data any) error {
	return t.event(console.Event{Kind: kind, Person: c.Person, Object: string(c.ID)}, data)
}

func joinScopes(scopes []console.Scope) string {
	var words []string
	for _, s := range scopes {
		words = append(words, string(s))
	}
	return strings.Join(words, " ")
}

const clientColumns = "SELECT c.id, c.client_id, c.name, c.person, c.service, c.scopes, c.public_key, c.creator, c.created, c.expires, c.revoked, c.last_used FROM client c "

func scanClient(r engine.Row) console.Client {
	c := console.Client{ID: console.ID(r.Text(0)), ClientID: str(r, 1), Name: str(r, 2), Person: console.ID(r.Text(3)), Service: r.Bool(4),
		PublicKey: r.Bytes(6), Creator: console.ID(r.Text(7)), Created: at(r, 8), Expires: at(r, 9), Revoked: at(r, 10), LastUsed: at(r, 11)}
	for _, s := range strings.Fields(r.Text(5)) {
		c.Scopes = append(c.Scopes, console.Scope(s))
	}
	return c
}

// Client returns a client, even if it is revoked.
func (t *Tx) Client(id console.ID) (console.Client, error) {
	return get(t, scanClient, "credential", clientColumns+"WHERE c.id = $1", id)
}

// ClientByClientID returns the client with a client id, even if it is revoked.
func (t *Tx) ClientByClientID(clientID string) (console.Client, error) {
	return get(t, scanClient, "credential", clientColumns+"WHERE c.client_id = $1", []byte(clientID))
}

// Clients returns up to n clients of a person, or of everybody if person is empty, the newest first.
// before is the last client of the previous page; "" for the first page.
func (t *Tx) Clients(person, before console.ID, n int) ([]console.Client, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanClient, clientColumns+"WHERE ($1 = '' OR c.person = $1) AND ($2 = '' OR c.id < $2) ORDER BY c.id DESC LIMIT $3", person, before, n)
}

// EndingClients returns the clients that work at a time and not at a later one, by their end.
func (t *Tx) EndingClients(now, until time.Time) ([]console.Client, error) {
	return list(t, scanClient, clientColumns+"WHERE c.revoked IS NULL AND c.expires > $1 AND c.expires <= $2 ORDER BY c.expires, c.id", now, until)
}

// RevokeClient revokes a client and its tokens. It does nothing if the client is revoked.
func (t *Tx) RevokeClient(id console.ID) error {
	c, err := get(t, scanClient, "credential", clientColumns+"WHERE c.id = $1 FOR UPDATE", id)
	if err != nil || !c.Revoked.IsZero() {
		return err
	}
	if err := t.change("credential", "UPDATE client SET revoked = $2 WHERE id = $1", id, t.by.At); err != nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM client_token WHERE client = $1", id); err != nil {
		return err
	}
	return t.clientEvent(c, "client.revoked", nil)
}

// revokeClients revokes all clients of a person.
func (t *Tx) revokeClients(person console.ID) error {
	ids, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT id FROM client WHERE person = $1 AND revoked IS NULL ORDER BY id", person)
	for _, id := range ids {
		if err == nil {
			err = t.RevokeClient(id)
		}
	}
	return err
}

// ClientToken is a bearer token issued for a client, identified by its SHA-256.
type ClientToken struct {
	Hash    [sha256.Size]byte
	Expires time.Time
	// Assertion is the id of the signed assertion that was exchanged for the token; "" if there was
	// none. It is kept until AssertionExpires, so that it cannot be used again.
	Assertion        string
	AssertionExpires time.Time
}

// AddClientToken adds a token of a client and records the use of the client. Unauthenticated if the
// client or its person is no longer valid; AlreadyExists if the assertion was used before.
func (t *Tx) AddClientToken(clientID string, token ClientToken, now time.Time) error {
	c, err := find(t, scanClient, clientColumns+"WHERE c.client_id = $1 FOR UPDATE", []byte(clientID))
	if err != nil {
		return err
	}
	if c == nil || !c.Good(now) {
		return baton.Errorf(baton.Unauthenticated, "credential %s is unknown, revoked or expired", clientID)
	}
	if _, err := t.personOf(*c); err != nil {
		return err
	}
	if token.Assertion != "" {
		hash := sha256.Sum256([]byte(clientID + "\x00" + token.Assertion))
		fresh, err := find(t, func(engine.Row) bool { return true }, `INSERT INTO assertion (hash, expires) VALUES ($1, $2)
			ON CONFLICT (hash) DO UPDATE SET expires = excluded.expires WHERE assertion.expires <= $3 RETURNING expires`, hash[:], engine.Micros(token.AssertionExpires), now)
		if err != nil {
			return err
		}
		if fresh == nil {
			return baton.Errorf(baton.AlreadyExists, "the assertion was used before")
		}
	}
	if err := t.insert("token", "INSERT INTO client_token (hash, client, expires) VALUES ($1, $2, $3)", token.Hash[:], c.ID, token.Expires); err != nil {
		return err
	}
	return t.change("credential", "UPDATE client SET last_used = $2 WHERE id = $1", c.ID, now)
}

// ClientOfToken returns the client of a token, and its person, in their current state.
// Unauthenticated if the token is unknown or has expired, or if the client or its person is no
// longer valid.
func (t *Tx) ClientOfToken(hash [sha256.Size]byte, now time.Time) (console.Client, console.Person, error) {
	c, err := find(t, scanClient, clientColumns+"JOIN client_token t ON t.client = c.id WHERE t.hash = $1 AND t.expires > $2", hash[:], now)
	if err != nil {
		return console.Client{}, console.Person{}, err
	}
	if c == nil || !c.Good(now) {
		return console.Client{}, console.Person{}, baton.Errorf(baton.Unauthenticated, "the token is unknown, expired or revoked")
	}
	p, err := t.personOf(*c)
	return *c, p, err
}

// personOf returns the person of a client.
func (t *Tx) personOf(c console.Client) (console.Person, error) {
	p, err := t.Person(c.Person)
	if err == nil && (p.Status != console.PersonActive || p.MergedInto != "") {
		err = baton.Errorf(baton.Unauthenticated, "%s is not active", p.Name)
	}
	return p, err
}
