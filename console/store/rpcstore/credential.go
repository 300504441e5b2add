package rpcstore

import (
	"context"
	"crypto/sha256"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

const credentialColumns = "c.client_id, c.connector, c.public_key, c.created, c.expires, c.revoked, c.last_used"

func scanCredential(r engine.Row) rpc.Credential {
	return rpc.Credential{ClientID: string(r.Bytes(0)), Connector: r.Text(1), PublicKey: r.Bytes(2), Created: at(r, 3), Expires: at(r, 4), Revoked: at(r, 5), LastUsed: at(r, 6)}
}

// AddCredential adds a credential in the transaction of a command.
func AddCredential(t *store.Tx, c rpc.Credential) error {
	err := engine.Insert(t.Engine(), "client id "+c.ClientID, "INSERT INTO credential (client_id, connector, public_key, created, expires, revoked, last_used) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		[]byte(c.ClientID), c.Connector, []byte(c.PublicKey), t.By().At, c.Expires, c.Revoked, c.LastUsed)
	if err != nil {
		return err
	}
	return credentialEvent(t, "credential.added", c)
}

func credentialEvent(t *store.Tx, kind string, c rpc.Credential) error {
	data, err := encode("a credential", map[string]any{"client_id": c.ClientID})
	if err == nil {
		t.Append(console.Event{Kind: kind, Connector: console.ID(c.Connector), Data: data})
	}
	return err
}

// AddCredential implements [rpc.Store].
func (s Store) AddCredential(ctx context.Context, now time.Time, c rpc.Credential) error {
	return s.updateByConsole(ctx, now, func(tx *store.Tx) error { return AddCredential(tx, c) })
}

// ExpireCredential makes a credential expire at a time, unless it expires earlier.
func ExpireCredential(t *store.Tx, clientID string, when time.Time) error {
	c, err := findCredential(t.Engine(), clientID, forUpdate)
	if err != nil || !c.Revoked.IsZero() || !c.Expires.IsZero() && !c.Expires.After(when) {
		return err
	}
	if err := engine.Change(t.Engine(), "credential", "UPDATE credential SET expires = $2 WHERE client_id = $1", []byte(clientID), when); err != nil {
		return err
	}
	return credentialEvent(t, "credential.expires", c)
}

// CredentialOf returns a credential of a connector.
func CredentialOf(t *store.Tx, connector, clientID string) (rpc.Credential, error) {
	c, err := findCredential(t.Engine(), clientID, "")
	if err == nil && c.Connector != connector {
		err = baton.Errorf(baton.NotFound, "no credential %s", clientID)
	}
	return c, err
}

// RevokeCredential revokes a credential and its tokens in the transaction of a command.
func RevokeCredential(t *store.Tx, clientID string) error {
	c, err := findCredential(t.Engine(), clientID, forUpdate)
	if err != nil || !c.Revoked.IsZero() {
		return err
	}
	if err := engine.Change(t.Engine(), "credential", "UPDATE credential SET revoked = $2 WHERE client_id = $1", []byte(clientID), t.By().At); err != nil {
		return err
	}
	if _, err := t.Engine().Exec("DELETE FROM token WHERE client_id = $1", []byte(clientID)); err != nil {
		return err
	}
	return credentialEvent(t, "credential.revoked", c)
}

// RevokeCredential implements [rpc.Store].
func (s Store) RevokeCredential(ctx context.Context, now time.Time, clientID string) error {
	return s.updateByConsole(ctx, now, func(tx *store.Tx) error { return RevokeCredential(tx, clientID) })
}

func findCredential(e engine.Tx, clientID, suffix string) (rpc.Credential, error) {
	return engine.Get(e, scanCredential, "credential "+clientID, "SELECT "+credentialColumns+" FROM credential c WHERE c.client_id = $1"+suffix, []byte(clientID))
}

// Credential implements [rpc.Store].
func (s Store) Credential(ctx context.Context, clientID string) (c rpc.Credential, err error) {
	err = s.s.View(ctx, func(tx *store.Tx) error {
		c, err = findCredential(tx.Engine(), clientID, "")
		return err
	})
	return c, err
}

// Credentials returns the credentials of a connector, including revoked ones, oldest first.
func Credentials(t *store.Tx, connector string) ([]rpc.Credential, error) {
	return engine.List(t.Engine(), scanCredential, "SELECT "+credentialColumns+" FROM credential c WHERE c.connector = $1 ORDER BY c.created, c.client_id", connector)
}

// AddToken implements [rpc.Store].
func (s Store) AddToken(ctx context.Context, now time.Time, t rpc.Token) error {
	return s.updateByConsole(ctx, now, func(tx *store.Tx) error {
		e := tx.Engine()
		c, err := findCredential(e, t.ClientID, forUpdate)
		if baton.KindOf(err) == baton.NotFound || err == nil && !c.Good(now) {
			return baton.Errorf(baton.Unauthenticated, "credential %s is unknown, revoked or expired", t.ClientID)
		}
		if err != nil {
			return err
		}
		hash := sha256.Sum256([]byte(t.ClientID + "\x00" + t.Assertion))
		fresh, err := engine.Find(e, func(engine.Row) bool { return true }, `INSERT INTO assertion (hash, expires) VALUES ($1, $2)
			ON CONFLICT (hash) DO UPDATE SET expires = excluded.expires WHERE assertion.expires <= $3 RETURNING expires`, hash, engine.Micros(t.AssertionExpires), now)
		if err != nil {
			return err
		}
		if fresh == nil {
			return baton.Errorf(baton.AlreadyExists, "the assertion was used before")
		}
		_, err = e.Exec(`INSERT INTO token (hash, client_id, expires) VALUES ($1, $2, $3)
			ON CONFLICT (hash) DO UPDATE SET client_id = excluded.client_id, expires = excluded.expires`, t.Hash, []byte(t.ClientID), t.Expires)
		if err != nil {
			return err
		}
		return engine.Change(e, "credential", "UPDATE credential SET last_used = $2 WHERE client_id = $1", []byte(t.ClientID), now)
	})
}

// TokenCredential implements [rpc.Store].
func (s Store) TokenCredential(ctx context.Context, now time.Time, hash [32]byte) (c rpc.Credential, err error) {
	err = s.s.View(ctx, func(tx *store.Tx) error {
		found, err := engine.Find(tx.Engine(), scanCredential, "SELECT "+credentialColumns+" FROM token t JOIN credential c ON c.client_id = t.client_id WHERE t.hash = $1 AND t.expires > $2", hash, now)
		if err != nil {
			return err
		}
		if found == nil || !found.Good(now) {
			return baton.Errorf(baton.Unauthenticated, "the token is unknown, expired or revoked")
		}
		c = *found
		return nil
	})
	return c, err
}

// expireTokens removes expired tokens and assertions.
func (s Store) expireTokens(ctx context.Context, now time.Time, limit int) (changed int, err error) {
	for _, table := range []string{"token", "assertion"} {
		found := false
		err := s.s.View(ctx, func(tx *store.Tx) error {
			one, err := engine.Find(tx.Engine(), func(engine.Row) bool { return true }, "SELECT expires FROM "+table+" WHERE expires <= $1 LIMIT 1", now)
			found = one != nil
			return err
		})
		if err != nil || !found {
			if err != nil {
				return changed, err
			}
			continue
		}
		n := int64(0)
		err = s.updateByConsole(ctx, now, func(tx *store.Tx) (err error) {
			n, err = tx.Engine().Exec("DELETE FROM "+table+" WHERE hash IN (SELECT hash FROM "+table+" WHERE expires <= $1 ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)", now, limit)
			return err
		})
		changed += int(n)
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}
