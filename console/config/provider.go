package config

import (
	"maps"
	"slices"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// Provider describes an OpenID Connect provider with which people sign in.
type Provider struct {
	Name             string                           `yaml:"name,omitempty"`  // part of addresses
	Label            string                           `yaml:"label,omitempty"` // for display; default: the name
	Issuer           string                           `yaml:"issuer,omitempty"`
	ClientID         string                           `yaml:"client_id,omitempty"`
	ClientSecret     Secret                           `yaml:"client_secret,omitempty"` // or
	ClientSecretFile string                           `yaml:"client_secret_file,omitempty"`
	Scopes           []string                         `yaml:"scopes,omitempty"` // in addition to openid; default: email and profile
	GroupsClaim      string                           `yaml:"groups_claim,omitempty"`
	Groups           map[string][]console.ConsoleRole `yaml:"groups,omitempty"` // roles by group
	AddPeople        bool                             `yaml:"add_people,omitempty"`
	Off              bool                             `yaml:"off,omitempty"`
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
func (f *File) checkProviders(bad *problems) {
	names, issuers := map[string]bool{}, map[string]bool{}
	for i, p := range f.OIDC {
		at := f.at("oidc", i)
		if !p.ClientSecret.IsZero() && p.ClientSecretFile != "" {
			bad.add(at, "oidc %d: client_secret and client_secret_file exclude each other", i+1)
		}
		if err := govern.CheckProvider(p.provider()); err != nil {
			bad.add(at, "oidc %d: %v", i+1, err)
		}
		if names[p.Name] || issuers[p.Issuer] {
			bad.add(at, "oidc %d: the name or the issuer is there twice", i+1)
		}
		names[p.Name], issuers[p.Issuer] = true, true
	}
}

// applyProviders creates and updates the providers of the files. A secret that is not given is kept,
// unless it would be sent to another issuer.
func (a *applying) applyProviders() error {
	for i, p := range a.OIDC {
		if err := a.applyProvider(a.at("oidc", i), p); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) applyProvider(at place, p Provider) error {
	want := p.provider()
	have, err := a.t.Provider(p.Name)
	if ignoreMissing(err) != nil {
		return err
	}
	secret := p.ClientSecret.Secret
	if p.ClientSecretFile != "" {
		var failed error
		if secret, failed = a.secret(at, "client_secret_file", p.ClientSecretFile); failed != nil {
			return failed
		}
	}
	stored, failed := a.t.ProviderSecret(p.Name)
	if failed != nil {
		return failed
	}
	added, changed := err != nil, !sameProvider(have, want)
	given := !secret.IsZero() && stored.Reveal() != secret.Reveal()
	if a.Program && (changed || given) {
		return baton.Errorf(baton.PermissionDenied, "%s: a credential cannot change how people sign in", at).WithFix("Change it on the page of sign-in, or apply the files beside the console.")
	}
	switch {
	case added:
		err = a.t.AddProvider(want)
	case changed:
		want.Version = have.Version
		err = a.t.ChangeProvider(want)
	}
	if err != nil {
		return err
	}
	if given {
		key := reference{console.ConfiguredProvider, p.Name}
		a.secrets[key] = append(a.secrets[key], "client_secret")
		return a.t.SetProviderSecret(p.Name, secret)
	}
	if !added && have.Issuer != want.Issuer && secret.IsZero() && !stored.IsZero() {
		return baton.Errorf(baton.Invalid, "the issuer of %s changed, and client_secret is not given", p.Name).
			WithFix("Give it: the secret is not sent to another issuer than the one that it was entered for.")
	}
	return nil
}

func sameProvider(a, b console.Provider) bool {
	return a.Label == b.Label && a.Issuer == b.Issuer && a.ClientID == b.ClientID && slices.Equal(a.Scopes, b.Scopes) && a.GroupsClaim == b.GroupsClaim &&
		slices.Equal(a.Groups, b.Groups) && a.AddPeople == b.AddPeople && a.Enabled == b.Enabled
}
