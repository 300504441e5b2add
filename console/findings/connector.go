package findings

import (
	"slices"
	"time"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// heldSyncs finds syncs that wait for a decision.
func heldSyncs(l *look) (causes []store.FindingCause, err error) {
	connectors, err := l.tx.Connectors(l.app.ID)
	for _, c := range connectors {
		if err != nil {
			return nil, err
		}
		var held *console.Sync
		if held, err = l.tx.HeldSync(c.ID); held != nil {
			detail := map[string]string{}
			if len(held.Holds) > 0 {
				detail["why"] = held.Holds[0].Detail
			}
			causes = append(causes, store.FindingCause{Subject: string(held.ID), FindingAbout: console.FindingAbout{Connector: c.ID, Object: string(held.ID), Detail: detail}})
		}
	}
	return causes, err
}

// inState returns the search for connectors that are in one of some states.
func inState(states ...console.ConnectionState) func(*look) ([]store.FindingCause, error) {
	return func(l *look) (causes []store.FindingCause, err error) {
		connectors, err := l.tx.Connectors(l.app.ID)
		for _, c := range connectors {
			if err != nil {
				return nil, err
			}
			var n console.Connection
			if n, err = rpcstore.ConnectionOf(l.tx, c, l.now); err != nil {
				return nil, err
			}
			state, sentence := n.State(l.now)
			if slices.Contains(states, state) || state == console.Syncing && failed(l.known[string(c.ID)], n) {
				causes = append(causes, store.FindingCause{Subject: string(c.ID), FindingAbout: console.FindingAbout{Connector: c.ID, Detail: map[string]string{"state": string(state), "why": sentence}}})
			}
		}
		return causes, err
	}
}

// failed reports whether a connector that failed has not yet shown that it works again: a new attempt
// is running.
func failed(f console.Finding, n console.Connection) bool {
	return f.Kind == console.ConnectorFailing && n.Running && (n.Applied == nil || n.Applied.Applied.Before(f.Appeared))
}

// credentialWarning is how long before their end credentials need somebody.
const credentialWarning = 14 * 24 * time.Hour

// endingCredentials finds connectors all of whose credentials end soon, or have ended.
func endingCredentials(l *look) (causes []store.FindingCause, err error) {
	connectors, err := l.tx.Connectors(l.app.ID)
	for _, c := range connectors {
		if err != nil {
			return nil, err
		}
		var all []rpc.Credential
		if all, err = rpcstore.Credentials(l.tx, string(c.ID)); err != nil {
			return nil, err
		}
		var last *rpc.Credential // that ends last
		for _, cr := range all {
			if cr.Good(l.now) && (last == nil || !last.Expires.IsZero() && (cr.Expires.IsZero() || cr.Expires.After(last.Expires))) {
				last = &cr
			}
		}
		if last == nil || last.Expires.IsZero() || last.Expires.Sub(l.now) > credentialWarning {
			continue
		}
		causes = append(causes, store.FindingCause{Subject: last.ClientID, FindingAbout: console.FindingAbout{Connector: c.ID, Object: last.ClientID, Detail: map[string]string{"ends": last.Expires.UTC().Format(time.RFC3339)}}})
	}
	return causes, err
}
