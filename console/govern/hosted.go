package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/console"
	"baton/console/store"
	"baton/internal/settings"
)

// names says how the settings of hosted connectors are called where they are read: as for
// connectors that run elsewhere.
var names = settings.Names{Prefix: "BATON_"}

// values returns the settings of a hosted connector as its program takes them. texts and
// secrets are by name. The error is Invalid and tells all that is wrong.
func (p Product) values(texts map[string]string, secrets map[string]baton.Secret) (baton.Values, error) {
	var options []settings.Option
	env := map[string]string{}
	for _, s := range p.Settings {
		options = append(options, settings.Option{Setting: s})
		text := texts[s.Name]
		if s.Kind == baton.SecretSetting {
			text = secrets[s.Name].Reveal()
		}
		env[names.Variable(s.Name)] = text
	}
	var bad settings.Problems
	resolved := names.Resolve(options, nil, env, nil, &bad)
	for _, s := range p.Settings {
		if s.Required && strings.TrimSpace(env[names.Variable(s.Name)]) == "" {
			bad.Add("", "%s is missing", s.DisplayName)
		}
	}
	return resolved.Values, bad.Err()
}

// Check returns an error, Invalid, that tells everything that is wrong with the settings of
// a connector that the console is to host.
func (p Product) Check(texts map[string]string, secrets map[string]baton.Secret) error {
	values, err := p.values(texts, secrets)
	if err == nil {
		_, err = p.Open(values, rest.Options{})
	}
	return err
}

// HostedSettings is what a hosted connector is configured with.
type HostedSettings struct {
	Product Product
	Values  map[string]string // by the name of the setting, without secrets
	Secrets []string          // names of the secrets that are set
}

// hostedProduct returns the product of a connector that the console hosts.
func (c *Console) hostedProduct(con console.Connector) (Product, error) {
	if con.Hosting != console.Hosted {
		return Product{}, baton.Errorf(baton.Refused, "connector %q does not run inside the console", con.Name)
	}
	p, err := c.Product(con.Product)
	if err == nil && p.Open == nil {
		err = baton.Errorf(baton.Unsupported, "the console cannot host %s", p.DisplayName)
	}
	return p, err
}

// HostedSettings returns what a hosted connector is configured with.
func (c *Console) HostedSettings(ctx context.Context, caller Caller, id console.ID) (s HostedSettings, err error) {
	err = c.read(ctx, caller, reading.at(id), func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil {
			return err
		}
		if s.Product, err = c.hostedProduct(con); err != nil {
			return err
		}
		if s.Values, err = tx.ConnectorSettings(id); err != nil {
			return err
		}
		s.Secrets, err = tx.ConnectorSecretNames(id)
		return err
	})
	return s, err
}

// isAddress reports whether a setting says where secrets are sent to.
func isAddress(s baton.Setting) bool {
	return s.Kind == baton.StringSetting && (strings.HasSuffix(s.Name, "url") || s.Name == "region")
}

// ConfigureHosted sets what a hosted connector is configured with. A secret that is not
// given stays as it is, unless an address changes: nobody can have a secret sent elsewhere
// without knowing it.
func (c *Console) ConfigureHosted(ctx context.Context, caller Caller, id console.ID, texts map[string]string, secrets map[string]baton.Secret) error {
	return c.change(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil {
			return err
		}
		product, err := c.hostedProduct(con)
		if err != nil {
			return err
		}
		before, err := tx.ConnectorSettings(id)
		if err != nil {
			return err
		}
		stored, err := tx.ConnectorSecretNames(id)
		if err != nil {
			return err
		}
		values, all := map[string]string{}, map[string]baton.Secret{}
		moved := ""
		for _, s := range product.Settings {
			if s.Kind == baton.SecretSetting {
				continue
			}
			if text := strings.TrimSpace(texts[s.Name]); text != "" {
				values[s.Name] = text
			}
			if isAddress(s) && before[s.Name] != values[s.Name] {
				moved = s.DisplayName
			}
		}
		for _, s := range product.Settings {
			if s.Kind != baton.SecretSetting {
				continue
			}
			all[s.Name] = secrets[s.Name]
			if !secrets[s.Name].IsZero() || !slices.Contains(stored, s.Name) {
				continue
			}
			if moved != "" {
				return baton.Errorf(baton.Invalid, "%s changed, and %s was not given again", moved, s.DisplayName).
					WithFix("Enter %s: it is not sent to another address than the one that it was entered for.", s.DisplayName)
			}
			if all[s.Name], err = tx.ConnectorSecret(id, s.Name); err != nil {
				return err
			}
		}
		if err := product.Check(values, all); err != nil {
			return err
		}
		if err := tx.SetConnectorSettings(id, values, secrets); err != nil {
			return err
		}
		return tx.ScheduleSync(con, c.now())
	})
}

// OpenHosted returns the connector that a hosted connector's settings describe; it sends
// nothing. For the console itself.
func (c *Console) OpenHosted(ctx context.Context, id console.ID, o rest.Options) (connector *baton.Connector, err error) {
	var product Product
	var values baton.Values
	err = c.store.View(ctx, func(tx *store.Tx) error {
		con, err := tx.Connector(id)
		if err != nil {
			return err
		}
		if product, err = c.hostedProduct(con); err != nil {
			return err
		}
		texts, err := tx.ConnectorSettings(id)
		if err != nil {
			return err
		}
		stored, err := tx.ConnectorSecretNames(id)
		if err != nil {
			return err
		}
		secrets := map[string]baton.Secret{}
		for _, name := range stored {
			if secrets[name], err = tx.ConnectorSecret(id, name); err != nil {
				return err
			}
		}
		values, err = product.values(texts, secrets)
		return err
	})
	if err != nil {
		return nil, err
	}
	o.Allow = c.allow
	return product.Open(values, o)
}

// testTimeout limits the examination of an upstream.
const testTimeout = 30 * time.Second

// TestHosted runs the connector's own examination of its upstream, with the settings that
// are saved.
func (c *Console) TestHosted(ctx context.Context, caller Caller, id console.ID) (findings []baton.Finding, err error) {
	err = c.read(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		_, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		return err
	})
	if err != nil {
		return nil, err
	}
	connector, err := c.OpenHosted(ctx, id, rest.Options{Timeout: testTimeout, RetryFor: -1})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	connector.Diagnose(ctx, func(f baton.Finding) { findings = append(findings, f) })
	return findings, nil
}
