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

// Digest returns 16 bytes that differ when anything about an entitlement differs, except
// its own key.
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
