package console

import (
	"strings"
	"time"

	"baton"
)

// Incompatible declares two entitlements that nobody should hold together, of one app or of two.
// Whoever holds both is a finding, and can be the scope of a campaign.
type Incompatible struct {
	ID               ID
	App              ID
	Entitlement      EntitlementKey
	OtherApp         ID
	OtherEntitlement EntitlementKey
	Why              string
	Created          time.Time
	Author           ID
	Ended            time.Time // zero while it is in force
	EndedBy          ID
}

// Check returns an error if the declaration is invalid.
func (x Incompatible) Check() error {
	switch {
	case x.App == "" || x.OtherApp == "" || x.Entitlement == AccountItself || x.OtherEntitlement == AccountItself:
		return baton.Errorf(baton.Invalid, "two entitlements are needed")
	case x.Entitlement == x.OtherEntitlement:
		return baton.Errorf(baton.Invalid, "an entitlement is not incompatible with itself")
	case strings.TrimSpace(x.Why) == "" || len(x.Why) > maxFindingReason:
		return baton.Errorf(baton.Invalid, "say why, in at most %d bytes", maxFindingReason)
	}
	return nil
}

// Same reports whether two declarations are about the same entitlements.
func (x Incompatible) Same(o Incompatible) bool {
	return x.Entitlement == o.Entitlement && x.OtherEntitlement == o.OtherEntitlement || x.Entitlement == o.OtherEntitlement && x.OtherEntitlement == o.Entitlement
}
