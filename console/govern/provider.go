package govern

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/oidc"
	"baton/console/store"
)

type ProviderView struct {
	console.Provider
	HasSecret bool
}

// Providers returns all identity providers.
func (c *Console) Providers(ctx context.Context, caller Caller) (all []console.Provider, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		all, err = tx.Providers()
		return err
	})
	return all, err
}

// Provider returns a provider.
func (c *Console) Provider(ctx context.Context, caller Caller, name string) (v ProviderView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		if v.Provider, err = tx.Provider(name); err != nil {
			return err
		}
		secret, err := tx.ProviderSecret(name)
		v.HasSecret = !secret.IsZero()
		return err
	})
	return v, err
}

// mayConfigureSignIn returns an error if the caller may not change how people sign in.
func (c *Console) mayConfigureSignIn(caller Caller, me console.Person) error {
	if err := console.ConfigureSignIn.Check(me, console.Object{}); err != nil {
		return err
	}
	return c.recent(caller)
}

// AddProvider adds a provider.
func (c *Console) AddProvider(ctx context.Context, caller Caller, p console.Provider, secret baton.Secret) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayConfigureSignIn(caller, me); err != nil {
			return err
		}
		if err := CheckProvider(p); err != nil {
			return err
		}
		if err := tx.AddProvider(p); err != nil {
			return err
		}
		if secret.IsZero() {
			return nil
		}
		return tx.SetProviderSecret(p.Name, secret)
	})
}

// CheckProvider returns an error if the configuration of a provider is invalid.
func CheckProvider(p console.Provider) error {
	if err := p.Check(); err != nil {
		return err
	}
	return oidc.CheckAddress(p.Issuer)
}

// ChangeProvider changes a provider. A secret that is not given is kept, unless the issuer changes:
// it is only sent to the issuer it was entered for.
func (c *Console) ChangeProvider(ctx context.Context, caller Caller, p console.Provider, secret baton.Secret) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayConfigureSignIn(caller, me); err != nil {
			return err
		}
		if err := CheckProvider(p); err != nil {
			return err
		}
		before, err := tx.Provider(p.Name)
		if err != nil {
			return err
		}
		stored, err := tx.ProviderSecret(p.Name)
		if err != nil {
			return err
		}
		if before.Issuer != p.Issuer && !stored.IsZero() && secret.IsZero() {
			return baton.Errorf(baton.Invalid, "the issuer changed, and the client secret was not given again").
				WithFix("Enter the client secret: it is not sent to another issuer than the one that it was entered for.")
		}
		if err := tx.ChangeProvider(p); err != nil {
			return err
		}
		if secret.IsZero() {
			return nil
		}
		return tx.SetProviderSecret(p.Name, secret)
	})
}

// RemoveProvider removes a provider.
func (c *Console) RemoveProvider(ctx context.Context, caller Caller, name string) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayConfigureSignIn(caller, me); err != nil {
			return err
		}
		return tx.RemoveProvider(name)
	})
}
