package store

import (
	"encoding/json"
	"maps"
	"slices"

	"baton"
	"baton/console"
)

// connectorOwner is the owner under which a connector's secrets are sealed.
func connectorOwner(connector console.ID) string { return "connector/" + string(connector) }

// connectorSetting names the setting with the configuration of a hosted connector.
func connectorSetting(connector console.ID) string { return connectorOwner(connector) + "/settings" }

// SetConnectorSettings sets the configuration of a hosted connector, by the names of its settings.
// It keeps secrets that are not given.
func (t *Tx) SetConnectorSettings(connector console.ID, values map[string]string, secrets map[string]baton.Secret) error {
	c, err := t.lockConnector(connector)
	if err != nil {
		return err
	}
	before, err := t.ConnectorSettings(connector)
	if err != nil {
		return err
	}
	b, err := json.Marshal(values)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode settings: %w", err)
	}
	if err := t.writeSetting(connectorSetting(connector), b); err != nil {
		return err
	}
	changed := []string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if old, ok := before[name]; !ok || old != values[name] {
			changed = append(changed, name)
		}
	}
	for name := range before {
		if _, ok := values[name]; !ok {
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if secrets[name].IsZero() {
			continue
		}
		if err := t.writeSecret(connectorOwner(connector), name, []byte(secrets[name].Reveal())); err != nil {
			return err
		}
		changed = append(changed, name)
	}
	if len(changed) == 0 {
		return nil
	}
	t.Wake(ConnectorTopic)
	slices.Sort(changed)
	if err := t.change("connector", "UPDATE connector SET version = version + 1 WHERE id = $1", connector); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "connector.configured", App: c.App, Connector: connector, Object: string(connector)}, map[string]any{"changed": changed})
}

// ConnectorSettings returns the configuration of a hosted connector without secrets; empty if it was
// never configured.
func (t *Tx) ConnectorSettings(connector console.ID) (map[string]string, error) {
	b, err := t.Setting(connectorSetting(connector))
	if baton.KindOf(err) == baton.NotFound {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	if err := json.Unmarshal(b, &values); err != nil {
		return nil, baton.Errorf(baton.Corrupt, "settings of connector %s: %w", connector, err)
	}
	return values, nil
}

// ConnectorSecret returns a secret of a hosted connector. NotFound if it was never set.
func (t *Tx) ConnectorSecret(connector console.ID, name string) (baton.Secret, error) {
	return t.Secret(connectorOwner(connector), name)
}

// ConnectorSecretNames returns the names of the secrets of a hosted connector.
func (t *Tx) ConnectorSecretNames(connector console.ID) ([]string, error) {
	return t.SecretNames(connectorOwner(connector))
}
