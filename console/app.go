package console

// App is an application whose access is governed: the union of its connectors.
type App struct {
	ID            ID
	Name          string
	Owners        []ID // persons
	Roles         RoleMap
	MinimumAdmins int // 0: no minimum
	Version       int64
}

// AdminEntitlementsSetting returns the name of the setting with the ids of an app's administrator
// entitlements, as its configuration file lists them.
func AdminEntitlementsSetting(app ID) string { return "admin-entitlements/" + string(app) }

// ProposedMinimumAdmins is the value that the console proposes for [App.MinimumAdmins].
const ProposedMinimumAdmins = 2
