package console

import "time"

// App is an application whose access is governed: the union of its connectors.
type App struct {
	ID            ID
	Name          string
	Owners        []ID // persons
	Roles         RoleMap
	MinimumAdmins int // 0: no minimum
	Version       int64
	Removed       time.Time // zero if it is there; its history stays
}

// ThereAt reports whether the app was not removed by a time; the zero time means now.
func (a App) ThereAt(when time.Time) bool {
	return a.Removed.IsZero() || !when.IsZero() && when.Before(a.Removed)
}

// AdminEntitlementsSetting returns the name of the setting with the ids of an app's administrator
// entitlements, as its configuration file lists them.
func AdminEntitlementsSetting(app ID) string { return "admin-entitlements/" + string(app) }

// ProposedMinimumAdmins is the value that the console proposes for [App.MinimumAdmins].
const ProposedMinimumAdmins = 2
