package console

import "baton"

const maxAlias = 255

// CheckAlias returns an error if an alias is invalid. Programs refer to an entitlement by its alias.
func CheckAlias(alias string) error {
	if alias == "" || len(alias) > maxAlias {
		return baton.Errorf(baton.Invalid, "an alias has 1 to %d characters", maxAlias)
	}
	for _, r := range alias {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return baton.Errorf(baton.Invalid, "the alias %q has other characters than a to z, 0 to 9, -, _ and .", alias)
		}
	}
	return nil
}
