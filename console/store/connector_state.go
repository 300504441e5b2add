package store

import (
	"baton/console"
	"baton/console/store/internal/engine"
)

// ToldState returns the state of a connector that people were last notified of.
func (t *Tx) ToldState(connector console.ID) (console.ToldState, error) {
	s, err := find(t, func(r engine.Row) console.ToldState {
		return console.ToldState{State: console.ConnectionState(r.Text(0)), Since: at(r, 1)}
	}, "SELECT state, since FROM connector_state WHERE connector = $1", connector)
	if err != nil || s == nil {
		return console.ToldState{}, err
	}
	return *s, nil
}

// TellState records, with an event, a state of a connector that people are notified of.
func (t *Tx) TellState(connector console.ID, state console.ConnectionState, sentence string) error {
	c, err := t.lockConnector(connector)
	if err != nil {
		return err
	}
	before, err := t.ToldState(connector)
	if err != nil {
		return err
	}
	_, err = t.e.Exec("INSERT INTO connector_state (connector, state, since) VALUES ($1, $2, $3) ON CONFLICT (connector) DO UPDATE SET state = excluded.state, since = excluded.since",
		connector, state, t.by.At)
	if err != nil {
		return err
	}
	return t.event(console.Event{Kind: "connector.state-changed", App: c.App, Connector: connector, Object: string(connector)},
		map[string]any{"before": before.State, "after": state, "sentence": sentence})
}
