package api

// Routes returns the patterns of all calls.
func Routes() (all []string) {
	for _, r := range routes {
		all = append(all, r.pattern)
	}
	return all
}

// Scopes returns the scopes of a call in the table.
func Scopes(pattern string) string {
	for _, r := range routes {
		if r.pattern == pattern {
			return r.scope
		}
	}
	return ""
}

// CredentialID returns the id of a credential in paths.
func CredentialID(clientID string) string { return credentialID(clientID) }
