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

// names are the names of the settings of hosted connectors in messages, the same as in connectors
// that run elsewhere.
var names = settings.Names{Prefix: "BATON_"}

// values returns the settings of a hosted connector as its program receives them. texts and secrets
// are keyed by name. The error is Invalid and lists all problems.
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

// Check returns an Invalid error with all problems in the settings of a hosted connector.
func (p Product) Check(texts map[string]string, secrets map[string]baton.Secret) error {
	values, err := p.values(texts, secrets)
	if err == nil {
		_, err = p.Open(values, rest.Options{})
	}
	return err
}

// HostedSettings is the configuration of a hosted connector.
type HostedSettings struct {
	Product Product
	Values  map[string]string // by the name of the setting, without secrets
	Secrets []string          // names of the secrets that are set
}

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

// HostedSettings returns the configuration of a hosted connector.
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

// isAddress reports whether secrets are sent to the address in a setting.
func isAddress(s baton.Setting) bool {
	return s.Kind == baton.StringSetting && (strings.HasSuffix(s.Name, "url") || s.Name == "region")
}

// MovedAddress returns the name of an address of a hosted connector that differs between two
// configurations; "" if none does. Stored secrets are not sent to another address than the one that
// they were entered for.
func MovedAddress(p Product, before, after map[string]string) string {
	moved := ""
	for _, s := range p.Settings {
		if isAddress(s) && before[s.Name] != after[s.Name] {
			moved = s.DisplayName
		}
	}
	return moved
}

// ConfigureHosted changes the configuration of a hosted connector. Secrets that are not given are
// kept, unless an address changes: otherwise somebody could have a secret sent to a server of their
// own.
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
		for _, s := range product.Settings {
			if s.Kind == baton.SecretSetting {
				continue
			}
			if text := strings.TrimSpace(texts[s.Name]); text != "" {
				values[s.Name] = text
			}
		}
		moved := MovedAddress(product, before, values)
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

// OpenHosted creates the connector from its stored configuration, without network access. It is for
// the console itself.
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

// testTimeout limits the duration of TestHosted.
const testTimeout = 30 * time.Second

// TestHosted runs the connector's own checks of its upstream with the stored configuration.
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
