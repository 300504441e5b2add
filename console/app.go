package console

// App is an application whose access is governed: the union of its connectors.
type App struct {
	ID            ID
	Name          string
	Owners        []ID // persons
	Roles         RoleMap
	MinimumAdmins int // 0 when no minimum is set
	Version       int64
}

// AdminEntitlementsSetting names the setting that holds the ids of the entitlements which a
// file says mean administrator of an app.
func AdminEntitlementsSetting(app ID) string { return "admin-entitlements/" + string(app) }

// ProposedMinimumAdmins is the value that the console proposes for [App.MinimumAdmins].
const ProposedMinimumAdmins = 2
