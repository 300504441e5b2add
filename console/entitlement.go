package console

// Entitlement is something that can be held in an app, as one sync showed it.
type Entitlement struct {
	Key         EntitlementKey
	ID          string      // opaque bytes of the upstream
	Resource    ResourceKey // what it is held on
	Slug        string
	Name        string
	Description string
	Purpose     int // numbered as on the wire
	// Immutable says that the connector can neither grant nor revoke it.
	Immutable bool
}
