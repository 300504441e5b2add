package console

import "encoding/json"

// Fact records that a principal held an entitlement, from the first sync that showed it to the first
// that no longer did.
type Fact struct {
	Entitlement EntitlementKey
	Principal   ResourceKey // an account, or a group whose members hold it
	From, Until SyncNumber  // visible in From, no longer in Until; [Never] while it is held
	// Sources lists the entitlements through which it is held. Empty means that it is held directly.
	Sources []Source
	// Expandable marks a principal whose members hold the entitlement too. If the sync does not list
	// the members, the number of holders is a lower bound.
	Expandable bool
	Immutable  bool // the connector cannot revoke it
	// Detail holds the upstream's attributes of this grant, as canonical JSON. For a connector with
	// its own grant ids, it also holds the id, under [GrantIDDetail].
	Detail []byte
}

// GrantIDDetail is the member of [Fact.Detail] with the grant's id, if the id is not made from those
// of the entitlement and the principal.
const GrantIDDetail = "baton:grant-id"

// UsualGrantID returns the id that most connectors give a grant.
func UsualGrantID(entitlement, principalType, principalID string) string {
	return entitlement + ":" + principalType + ":" + principalID
}

// GrantID returns the id that the connector reported for the grant; "" if it is the usual one.
func (f Fact) GrantID() string {
	var d map[string]any
	if len(f.Detail) == 0 || json.Unmarshal(f.Detail, &d) != nil {
		return ""
	}
	id, _ := d[GrantIDDetail].(string)
	return id
}

// Source is an entitlement through which a fact is held.
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

// Visible reports whether the sync with this number shows the fact.
func (f Fact) Visible(sync SyncNumber) bool { return f.From <= sync && sync < f.Until }
