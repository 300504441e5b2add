package store

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// clientSecret names the client secret of a provider.
const clientSecret = "client-secret"

// providerOwner is the owner under which the secret of a provider is sealed.
func providerOwner(name string) string { return "provider/" + name }

// AddProvider adds an identity provider. AlreadyExists if its name or issuer is taken.
func (t *Tx) AddProvider(p console.Provider) error {
	if err := p.Check(); err != nil {
		return err
	}
	err := t.insert("a provider with this name or issuer", `INSERT INTO provider (name, label, issuer, client_id, scopes, groups_claim, add_people, enabled, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)`, p.Name, []byte(p.Label), []byte(p.Issuer), []byte(p.ClientID), []byte(strings.Join(p.Scopes, " ")),
		[]byte(p.GroupsClaim), p.AddPeople, p.Enabled)
	if err != nil {
		return err
	}
	if err := t.setGroups(p); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "provider.added", Object: p.Name}, providerData(p))
}

// ChangeProvider changes a provider. p.Version must be the version that was read. Roles that none of
// its groups gives any more are withdrawn. Disabling it ends the sessions that began with it.
func (t *Tx) ChangeProvider(p console.Provider) error {
	if err := p.Check(); err != nil {
		return err
	}
	before, err := get(t, scanProvider, "provider", providerColumns+"WHERE name = $1 FOR UPDATE", p.Name)
	if err != nil {
		return err
	}
	if err := checkVersion("the provider", before.Version, p.Version); err != nil {
		return err
	}
	err = t.change("provider", `UPDATE provider SET label = $2, issuer = $3, client_id = $4, scopes = $5, groups_claim = $6, add_people = $7, enabled = $8, version = version + 1
		WHERE name = $1`, p.Name, []byte(p.Label), []byte(p.Issuer), []byte(p.ClientID), []byte(strings.Join(p.Scopes, " ")), []byte(p.GroupsClaim), p.AddPeople, p.Enabled)
	if err != nil {
		return err
	}
	if err := t.setGroups(p); err != nil {
		return err
	}
	given := p.RolesOf(groupsOf(p))
	if before.Issuer != p.Issuer {
		given = nil // they came from groups of another issuer
	}
	if err := t.withdrawRoles(p.Name, given); err != nil {
		return err
	}
	if !p.Enabled || before.Issuer != p.Issuer {
		if err := t.endProviderSessions(p.Name); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "provider.changed", Object: p.Name}, providerData(p))
}

// RemoveProvider removes a provider, the roles from its groups, and the sessions that began with it.
// The identities of its issuer are kept.
func (t *Tx) RemoveProvider(name string) error {
	if _, err := get(t, scanProvider, "provider", providerColumns+"WHERE name = $1 FOR UPDATE", name); err != nil {
		return err
	}
	if err := t.withdrawRoles(name, nil); err != nil {
		return err
	}
	if err := t.endProviderSessions(name); err != nil {
		return err
	}
	if err := t.RemoveSecret(providerOwner(name), clientSecret); err != nil {
		return err
	}
	for _, sql := range []string{"DELETE FROM provider_group WHERE provider = $1", "DELETE FROM mapped_role WHERE provider = $1", "DELETE FROM provider WHERE name = $1"} {
		if _, err := t.e.Exec(sql, name); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "provider.removed", Object: name}, nil)
}

// endProviderSessions ends the sessions that began with a provider, and its unfinished logins.
func (t *Tx) endProviderSessions(name string) error {
	for _, table := range []string{"session", "sign_in"} {
		if _, err := t.e.Exec("DELETE FROM "+table+" WHERE provider = $1", name); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) setGroups(p console.Provider) error {
	if _, err := t.e.Exec("DELETE FROM provider_group WHERE provider = $1", p.Name); err != nil {
		return err
	}
	for _, g := range p.Groups {
		if err := t.insert("group", "INSERT INTO provider_group (provider, group_name, role) VALUES ($1, $2, $3)", p.Name, []byte(g.Group), g.Role); err != nil {
			return err
		}
	}
	return nil
}

func groupsOf(p console.Provider) (groups []string) {
	for _, g := range p.Groups {
		groups = append(groups, g.Group)
	}
	return groups
}

// providerData returns the event data about a provider.
func providerData(p console.Provider) map[string]any {
	groups := []string{}
	for _, g := range p.Groups {
		groups = append(groups, g.Group+" = "+string(g.Role))
	}
	return map[string]any{"label": p.Label, "issuer": p.Issuer, "client_id": p.ClientID, "scopes": p.Scopes, "groups_claim": p.GroupsClaim, "groups": groups,
		"add_people": p.AddPeople, "enabled": p.Enabled}
}

// SetProviderSecret sets the client secret of a provider.
func (t *Tx) SetProviderSecret(name string, secret baton.Secret) error {
	return t.SetSecret(providerOwner(name), clientSecret, secret)
}

// ProviderSecret returns the client secret of a provider; zero if there is none.
func (t *Tx) ProviderSecret(name string) (baton.Secret, error) {
	s, err := t.Secret(providerOwner(name), clientSecret)
	if baton.KindOf(err) == baton.NotFound {
		err = nil
	}
	return s, err
}

const providerColumns = "SELECT name, label, issuer, client_id, scopes, groups_claim, add_people, enabled, version FROM provider "

func scanProvider(r engine.Row) console.Provider {
	return console.Provider{Name: r.Text(0), Label: str(r, 1), Issuer: str(r, 2), ClientID: str(r, 3), Scopes: strings.Fields(str(r, 4)), GroupsClaim: str(r, 5),
		AddPeople: r.Bool(6), Enabled: r.Bool(7), Version: r.Int(8)}
}

// Provider returns a provider by name.
func (t *Tx) Provider(name string) (console.Provider, error) {
	p, err := get(t, scanProvider, "provider", providerColumns+"WHERE name = $1", name)
	if err != nil {
		return p, err
	}
	return p, t.fillProvider(&p)
}

// Providers returns all providers, ordered by name.
func (t *Tx) Providers() ([]console.Provider, error) {
	all, err := list(t, scanProvider, providerColumns+"ORDER BY name")
	for i := range all {
		if err == nil {
			err = t.fillProvider(&all[i])
		}
	}
	return all, err
}

func (t *Tx) fillProvider(p *console.Provider) (err error) {
	p.Groups, err = list(t, func(r engine.Row) console.GroupRole {
		return console.GroupRole{Group: str(r, 0), Role: console.ConsoleRole(r.Text(1))}
	}, "SELECT group_name, role FROM provider_group WHERE provider = $1 ORDER BY group_name, role", p.Name)
	return err
}

// MappedRoles returns the roles that a person has from groups of providers.
func (t *Tx) MappedRoles(person console.ID) (map[console.ConsoleRole][]string, error) {
	all := map[console.ConsoleRole][]string{}
	err := t.e.Query(func(r engine.Row) error {
		role := console.ConsoleRole(r.Text(0))
		all[role] = append(all[role], r.Text(1))
		return nil
	}, "SELECT role, provider FROM mapped_role WHERE person = $1 ORDER BY role, provider", person)
	return all, err
}

// MapRoles sets the roles that a person has from the groups of a provider. Roles that were given
// manually stay. It returns the roles that had to stay although the groups no longer give them:
// those of the last super administrator.
func (t *Tx) MapRoles(person console.ID, provider string, roles []console.ConsoleRole) (kept []console.ConsoleRole, err error) {
	p, err := t.lockPerson(person)
	if err != nil {
		return nil, err
	}
	mapped, err := t.MappedRoles(person)
	if err != nil {
		return nil, err
	}
	after := slices.Clone(p.Roles)
	for role, from := range mapped {
		if !slices.Contains(from, provider) || slices.Contains(roles, role) {
			continue
		}
		if len(from) == 1 {
			if role == console.SuperAdministrator {
				switch err := t.keepSuperAdministrator(p); {
				case baton.KindOf(err) == baton.Refused:
					kept = append(kept, role)
					continue
				case err != nil:
					return nil, err
				}
			}
			after = slices.DeleteFunc(after, func(r console.ConsoleRole) bool { return r == role })
		}
		if _, err := t.e.Exec("DELETE FROM mapped_role WHERE person = $1 AND provider = $2 AND role = $3", person, provider, role); err != nil {
			return nil, err
		}
	}
	for _, role := range roles {
		byHand := slices.Contains(p.Roles, role) && len(mapped[role]) == 0
		if byHand || slices.Contains(mapped[role], provider) {
			continue
		}
		if err := t.insert("role", "INSERT INTO mapped_role (person, provider, role) VALUES ($1, $2, $3)", person, provider, role); err != nil {
			return nil, err
		}
		if !slices.Contains(after, role) {
			after = append(after, role)
		}
	}
	if len(kept) > 0 {
		if err := t.event(console.Event{Kind: "person.roles-kept", Person: person, Object: string(person)}, map[string]any{"provider": provider, "roles": kept}); err != nil {
			return nil, err
		}
	}
	slices.Sort(after)
	return kept, t.setRoles(person, p.Roles, after)
}

// withdrawRoles removes the roles that people have from a provider, except the given ones. Refused
// if no super administrator would remain.
func (t *Tx) withdrawRoles(provider string, stay []console.ConsoleRole) error {
	people, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) },
		"SELECT DISTINCT person FROM mapped_role WHERE provider = $1 ORDER BY person", provider)
	if err != nil {
		return err
	}
	for _, person := range people {
		mapped, err := t.MappedRoles(person)
		if err != nil {
			return err
		}
		var roles []console.ConsoleRole
		for role, from := range mapped {
			if slices.Contains(from, provider) && slices.Contains(stay, role) {
				roles = append(roles, role)
			}
		}
		kept, err := t.MapRoles(person, provider, roles)
		if err != nil {
			return err
		}
		if len(kept) > 0 {
			return errLastSuperAdministrator
		}
	}
	return nil
}

// maxSignIns limits the unfinished logins from one address, which many people may share.
const maxSignIns = 1000

// BeginSignIn stores an unfinished login with a provider, by the SHA-256 of its state. RateLimited
// if the address has too many.
func (t *Tx) BeginSignIn(hash [sha256.Size]byte, s console.SignIn) error {
	n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "logins", "SELECT count(*) FROM sign_in WHERE address = $1 AND began > $2",
		[]byte(s.Address), s.Began.Add(-console.SignInLife))
	if err != nil {
		return err
	}
	if n >= maxSignIns {
		return baton.Errorf(baton.RateLimited, "too many logins were begun from here").WithFix("Wait some minutes and try again.")
	}
	var session any
	if s.Session != nil {
		session = s.Session
	}
	return t.insert("login", "INSERT INTO sign_in (hash, provider, browser, nonce, verifier, next, session, began, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		hash[:], s.Provider, s.Browser[:], s.Nonce, s.Verifier, []byte(s.Next), session, s.Began, []byte(s.Address))
}

// TakeSignIn returns and removes an unfinished login with a provider. Each state works once, and
// only in the browser that began it; else NotFound.
func (t *Tx) TakeSignIn(hash, browser [sha256.Size]byte, now time.Time) (console.SignIn, error) {
	s, err := get(t, func(r engine.Row) console.SignIn {
		s := console.SignIn{Provider: r.Text(0), Nonce: r.Text(2), Verifier: r.Text(3), Next: str(r, 4), Session: r.Bytes(5), Began: at(r, 6), Address: str(r, 7)}
		copy(s.Browser[:], r.Bytes(1))
		if len(s.Session) == 0 {
			s.Session = nil
		}
		return s
	}, "login", "SELECT provider, browser, nonce, verifier, next, session, began, address FROM sign_in WHERE hash = $1 AND browser = $2 FOR UPDATE", hash[:], browser[:])
	if err != nil {
		return s, err
	}
	if _, err := t.e.Exec("DELETE FROM sign_in WHERE hash = $1", hash[:]); err != nil {
		return s, err
	}
	if !now.Before(s.Began.Add(console.SignInLife)) {
		err = baton.Errorf(baton.NotFound, "no login")
	}
	return s, err
}
