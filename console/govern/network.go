package govern

import (
	"net/netip"
	"slices"

	"baton"
)

// Networks are the private networks that hosted connectors may connect to.
type Networks []netip.Prefix

// Allow returns a PermissionDenied error for an address that is neither public nor in one of the
// networks. It is called for each connection, so that neither a redirect nor a DNS change leads into
// a private network.
func (n Networks) Allow(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	if slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) }) || Public(a) {
		return nil
	}
	return baton.Errorf(baton.PermissionDenied, "the address is in a private network").
		WithFix("If it is meant, start the console with --allow-network and the network of this address.")
}

// notPublic are the networks without public addresses (RFC 6890 and its updates) that package netip
// does not know.
var notPublic = func() (all []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16"} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

// Public reports whether an address belongs to the public internet.
func Public(a netip.Addr) bool {
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate() &&
		!slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}
