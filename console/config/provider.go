package config

import (
	"maps"
	"slices"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// Provider describes an OpenID Connect provider with which people sign in.
type Provider struct {
	Name         string                           `yaml:"name"`  // part of addresses
	Label        string                           `yaml:"label"` // for display; default: the name
	Issuer       string                           `yaml:"issuer"`
	ClientID     string                           `yaml:"client_id"`
	ClientSecret Secret                           `yaml:"client_secret"`
	Scopes       []string                         `yaml:"scopes"` // in addition to openid; default: email and profile
	GroupsClaim  string                           `yaml:"groups_claim"`
	Groups       map[string][]console.ConsoleRole `yaml:"groups"` // roles by group
	AddPeople    bool                             `yaml:"add_people"`
	Off          bool                             `yaml:"off"`
}

// provider returns the provider that is described.
func (p Provider) provider() console.Provider {
	v := console.Provider{Name: p.Name, Label: p.Label, Issuer: p.Issuer, ClientID: p.ClientID, Scopes: p.Scopes, GroupsClaim: p.GroupsClaim, AddPeople: p.AddPeople, Enabled: !p.Off}
	if v.Label == "" {
		v.Label = p.Name
	}
	if v.Scopes == nil {
		v.Scopes = []string{"email", "profile"}
	}
	for _, group := range slices.Sorted(maps.Keys(p.Groups)) {
		for _, role := range slices.Sorted(slices.Values(p.Groups[group])) {
			v.Groups = append(v.Groups, console.GroupRole{Group: group, Role: role})
		}
	}
	return v
}

// checkProviders reports the problems of the providers.
func (f *File) checkProviders(bad func(format string, args ...any)) {
	names, issuers := map[string]bool{}, map[string]bool{}
	for i, p := range f.OIDC {
		if err := govern.CheckProvider(p.provider()); err != nil {
			bad("oidc %d: %v", i+1, err)
		}
		if names[p.Name] || issuers[p.Issuer] {
			bad("oidc %d: the name or the issuer is there twice", i+1)
		}
		names[p.Name], issuers[p.Issuer] = true, true
	}
}

// applyProviders creates and updates the providers of the file.
func (f *File) applyProviders(t *store.Tx) error {
	for _, p := range f.OIDC {
		want := p.provider()
		have, err := t.Provider(p.Name)
		switch {
		case baton.KindOf(err) == baton.NotFound:
			err = t.AddProvider(want)
		case err == nil && !sameProvider(have, want):
			want.Version = have.Version
			err = t.ChangeProvider(want)
		}
		if err != nil {
			return err
		}
		stored, err := t.ProviderSecret(p.Name)
		if err != nil {
			return err
		}
		if !p.ClientSecret.IsZero() && stored.Reveal() != p.ClientSecret.Reveal() {
			if err := t.SetProviderSecret(p.Name, p.ClientSecret.Secret); err != nil {
				return err
			}
		}
		if have.Issuer != "" && have.Issuer != want.Issuer && p.ClientSecret.IsZero() && !stored.IsZero() {
			return baton.Errorf(baton.Invalid, "the issuer of %s changed, and client_secret is not given", p.Name).
				WithFix("Give it: the secret is not sent to another issuer than the one that it was entered for.")
		}
	}
	return nil
}

func sameProvider(a, b console.Provider) bool {
	return a.Label == b.Label && a.Issuer == b.Issuer && a.ClientID == b.ClientID && slices.Equal(a.Scopes, b.Scopes) && a.GroupsClaim == b.GroupsClaim &&
		slices.Equal(a.Groups, b.Groups) && a.AddPeople == b.AddPeople && a.Enabled == b.Enabled
}
