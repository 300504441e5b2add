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

// ProposedMinimumAdmins is the value that the console proposes for [App.MinimumAdmins].
const ProposedMinimumAdmins = 2
