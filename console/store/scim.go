package store

import (
	"crypto/sha256"
	"time"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const maxSCIMSourceName = 100

// AddSCIMSource adds an identity provider that pushes people. AlreadyExists if the name is taken.
func (t *Tx) AddSCIMSource(s console.SCIMSource) (console.SCIMSource, error) {
	if err := need("the name", s.Name); err != nil {
		return s, err
	}
	if utf8.RuneCountInString(s.Name) > maxSCIMSourceName {
		return s, baton.Errorf(baton.Invalid, "the name is longer than %d characters", maxSCIMSourceName)
	}
	stream, err := t.Numbers("stream", 1)
	if err != nil {
		return s, err
	}
	s.ID, s.Stream, s.Created = console.NewID(t.by.At), console.Stream(stream), t.by.At
	if err := t.insert("an identity provider with this name", "INSERT INTO scim_source (id, name, stream, created, creator, error) VALUES ($1, $2, $3, $4, $5, $6)",
		s.ID, []byte(s.Name), s.Stream, s.Created, s.Creator, []byte{}); err != nil {
		return s, err
	}
	return s, t.scimEvent("scim.source-added", s.ID, s.ID, map[string]any{"name": s.Name})
}

// scimEvent appends an event about a row of a source.
func (t *Tx) scimEvent(kind string, source, object console.ID, data map[string]any) error {
	if object != source {
		if data == nil {
			data = map[string]any{}
		}
		data["identity_provider"] = source
	}
	return t.event(console.Event{Kind: kind, Object: string(object)}, data)
}

const scimSourceColumns = "SELECT id, name, stream, created, creator, error, error_at FROM scim_source "

func scanSCIMSource(r engine.Row) console.SCIMSource {
	return console.SCIMSource{ID: console.ID(r.Text(0)), Name: str(r, 1), Stream: console.Stream(r.Int(2)), Created: at(r, 3), Creator: console.ID(r.Text(4)), Error: str(r, 5), ErrorAt: at(r, 6)}
}

// SCIMSource returns a source.
func (t *Tx) SCIMSource(id console.ID) (console.SCIMSource, error) {
	return get(t, scanSCIMSource, "identity provider", scimSourceColumns+"WHERE id = $1", id)
}

// SCIMSources returns all sources, the oldest first.
func (t *Tx) SCIMSources() ([]console.SCIMSource, error) {
	return list(t, scanSCIMSource, scimSourceColumns+"ORDER BY id")
}

// RemoveSCIMSource removes a source with its tokens, users and groups, and the roles that its groups
// give. The people whom it made stay. Refused if no super administrator would remain.
func (t *Tx) RemoveSCIMSource(id console.ID) error {
	s, err := get(t, scanSCIMSource, "identity provider", scimSourceColumns+"WHERE id = $1 FOR UPDATE", id)
	if err != nil {
		return err
	}
	if err := t.withdrawRoles(scimProvider(id), nil); err != nil {
		return err
	}
	if err := t.RemoveDue(console.DueSCIM, string(id)); err != nil {
		return err
	}
	for _, sql := range []string{
		"DELETE FROM scim_member WHERE grp IN (SELECT id FROM scim_group WHERE source = $1)",
		"DELETE FROM scim_group WHERE source = $1",
		"DELETE FROM scim_address WHERE source = $1",
		"DELETE FROM scim_user WHERE source = $1",
		"DELETE FROM scim_token WHERE source = $1",
		"DELETE FROM scim_source WHERE id = $1",
	} {
		if _, err := t.e.Exec(sql, id); err != nil {
			return err
		}
	}
	for _, sql := range []string{"DELETE FROM directory_account WHERE stream = $1", "DELETE FROM resource WHERE stream = $1"} {
		if _, err := t.e.Exec(sql, s.Stream); err != nil {
			return err
		}
	}
	return t.scimEvent("scim.source-removed", id, id, map[string]any{"name": s.Name})
}

// scimProvider names a source among the providers whose groups give roles.
func scimProvider(source console.ID) string { return "scim:" + string(source) }

// SetSCIMError records the last request of a source that failed. The same error again within a minute
// is not recorded.
func (t *Tx) SetSCIMError(source console.ID, what string) error {
	_, err := t.e.Exec("UPDATE scim_source SET error = $2, error_at = $3 WHERE id = $1 AND (error <> $2 OR error_at IS NULL OR error_at < $4)",
		source, []byte(what), t.by.At, t.by.At.Add(-time.Minute))
	return err
}

const scimTokenColumns = "SELECT id, source, created, revoked, last_used FROM scim_token "

func scanSCIMToken(r engine.Row) console.SCIMToken {
	return console.SCIMToken{ID: console.ID(r.Text(0)), Source: console.ID(r.Text(1)), Created: at(r, 2), Revoked: at(r, 3), LastUsed: at(r, 4)}
}

// AddSCIMToken adds a token of a source. Refused if [console.MaxSCIMTokens] work already.
func (t *Tx) AddSCIMToken(source console.ID, hash [sha256.Size]byte) (console.ID, error) {
	if _, err := get(t, scanSCIMSource, "identity provider", scimSourceColumns+"WHERE id = $1 FOR UPDATE", source); err != nil {
		return "", err
	}
	n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "tokens", "SELECT count(*) FROM scim_token WHERE source = $1 AND revoked IS NULL", source)
	if err != nil {
		return "", err
	}
	if n >= console.MaxSCIMTokens {
		return "", baton.Errorf(baton.Refused, "%d tokens work already", n).WithFix("Revoke the one that the identity provider does not use any more.")
	}
	id := console.NewID(t.by.At)
	if err := t.insert("token", "INSERT INTO scim_token (id, source, hash, created) VALUES ($1, $2, $3, $4)", id, source, hash[:], t.by.At); err != nil {
		return "", err
	}
	return id, t.scimEvent("scim.token-added", source, id, nil)
}

// SCIMTokens returns the tokens of a source, the newest first, up to n.
func (t *Tx) SCIMTokens(source console.ID, n int) ([]console.SCIMToken, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanSCIMToken, scimTokenColumns+"WHERE source = $1 ORDER BY created DESC, id DESC LIMIT $2", source, n)
}

// SCIMTokenByHash returns a token, even if it is revoked. NotFound if there is none.
func (t *Tx) SCIMTokenByHash(hash [sha256.Size]byte) (console.SCIMToken, error) {
	return get(t, scanSCIMToken, "token", scimTokenColumns+"WHERE hash = $1", hash[:])
}

// UseSCIMToken records that a token was used.
func (t *Tx) UseSCIMToken(id console.ID) error {
	_, err := t.e.Exec("UPDATE scim_token SET last_used = $2 WHERE id = $1", id, t.by.At)
	return err
}

// RevokeSCIMToken revokes a token of a source. It does nothing if the token is revoked.
func (t *Tx) RevokeSCIMToken(source, id console.ID) error {
	token, err := get(t, scanSCIMToken, "token", scimTokenColumns+"WHERE source = $1 AND id = $2 FOR UPDATE", source, id)
	if err != nil || !token.Revoked.IsZero() {
		return err
	}
	if err := t.change("token", "UPDATE scim_token SET revoked = $2 WHERE id = $1", id, t.by.At); err != nil {
		return err
	}
	return t.scimEvent("scim.token-revoked", source, id, nil)
}
