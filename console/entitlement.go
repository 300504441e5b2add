package console

// Entitlement is a permission in an app, as one sync showed it.
type Entitlement struct {
	Key         EntitlementKey
	ID          string      // the upstream's id: opaque bytes
	Resource    ResourceKey // the resource it belongs to
	Slug        string
	Name        string
	Description string
	Purpose     int // with the numbers of the protocol
	// Immutable means that the connector can neither grant nor revoke it.
	Immutable bool
}

// Digest returns 16 bytes that differ if anything about two entitlements differs, except their keys.
func (e Entitlement) Digest() [16]byte {
	var buf [digestSize]byte
	d := digest{buf: buf[:0]}
	d.str(e.ID, e.Slug, e.Name, e.Description)
	d.num(int64(e.Resource), int64(e.Purpose))
	if e.Immutable {
		d.num(1)
	}
	return d.sum()
}
