package console

import "encoding/json"

// Fact says that a principal held an entitlement, from the sync that first showed it
// until the first that no longer did.
type Fact struct {
	Entitlement EntitlementKey
	Principal   ResourceKey // an account, or a group whose members hold it
	From, Until SyncNumber  // visible in From, no longer in Until; [Never] while it is open
	// Sources lists the entitlements through which it is held. Empty means direct only.
	Sources []Source
	// Expandable marks a principal whose members hold the entitlement too. When the sync
	// does not list those, holders are "at least".
	Expandable bool
	Immutable  bool // the connector says that it cannot be revoked
	// Detail is what the upstream says of this one grant, canonical JSON. A connector that
	// names grants in a way of its own has the name under [GrantIDDetail].
	Detail []byte
}

// GrantIDDetail is the member of [Fact.Detail] with the id of the grant, if it is not made
// from the ids of the entitlement and the principal as most connectors do.
const GrantIDDetail = "baton:grant-id"

// UsualGrantID returns the id that most connectors give a grant.
func UsualGrantID(entitlement, principalType, principalID string) string {
	return entitlement + ":" + principalType + ":" + principalID
}

// GrantID returns the id of the grant as the connector reported it; "" if it is the usual
// one.
func (f Fact) GrantID() string {
	var d map[string]any
	if len(f.Detail) == 0 || json.Unmarshal(f.Detail, &d) != nil {
		return ""
	}
	id, _ := d[GrantIDDetail].(string)
	return id
}

// Source is one entitlement through which a fact is held.
type Source struct {
	Entitlement string // the upstream's id
	Direct      bool
}

// Direct reports whether the fact can be revoked by itself: it has no sources, or one of
// them is direct.
func (f Fact) Direct() bool {
	for _, s := range f.Sources {
		if s.Direct {
			return true
		}
	}
	return len(f.Sources) == 0
}

// Visible reports whether a sync with this number shows the fact.
func (f Fact) Visible(sync SyncNumber) bool { return f.From <= sync && sync < f.Until }
