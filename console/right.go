package console

import (
	"slices"
	"strings"

	"baton"
)

// Right is permission to see or do one thing. Roles have it everywhere; the owners of an object have
// it for that object.
type Right struct {
	Do             string // "add connectors"; completes "… may"
	Roles          []ConsoleRole
	AppOwner       bool // the owners of the app have it
	ConnectorOwner bool // the owners of the connector have it
	// EntitlementOwner means that the owners of the entitlement have it.
	EntitlementOwner bool
	Manager          bool // the manager of the person has it
	// CampaignOwner means that the owners of the campaign have it, if they are Campaign Administrators.
	CampaignOwner bool
	Self          bool // the person itself has it
}

// The rights to see something.
var (
	SeeAccess = Right{Do: "see who has access", AppOwner: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	// SeeAccessCounts is the part of SeeAccess that connector operators have.
	SeeAccessCounts = Right{Do: "see how many have access", AppOwner: true, ConnectorOwner: true,
		Roles: []ConsoleRole{ConnectorAdministrator, Auditor, SecurityOfficer, SuperAdministrator}}
	SeePeople     = Right{Do: "see people and their access", Manager: true, Self: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	SeeConnectors = Right{Do: "see connectors", AppOwner: true, ConnectorOwner: true, Roles: []ConsoleRole{ConnectorAdministrator, Auditor, SecurityOfficer, SuperAdministrator}}
	SeeRawFiles   = Right{Do: "download sync files and exports", AppOwner: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	SeeAudit      = Right{Do: "read the audit log", AppOwner: true, Self: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	// SeeRequests covers requests of others. People always see requests that they filed, that are
	// about them, or that they decide.
	SeeRequests    = Right{Do: "see requests of others", AppOwner: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	SeePolicies    = Right{Do: "see policies", AppOwner: true, Roles: []ConsoleRole{CampaignAdministrator, Auditor, SecurityOfficer, SuperAdministrator}}
	SeeAutomations = Right{Do: "see automations", AppOwner: true, Roles: []ConsoleRole{CampaignAdministrator, Auditor, SecurityOfficer, SuperAdministrator}}
	SeeSettings    = Right{Do: "see the settings", Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
)

// The rights to do something.
var (
	AddConnectors       = Right{Do: "add connectors", Roles: []ConsoleRole{ConnectorAdministrator, SuperAdministrator}}
	ConfigureConnectors = Right{Do: "configure, rotate, pause and sync connectors", AppOwner: true, ConnectorOwner: true, Roles: []ConsoleRole{ConnectorAdministrator, SuperAdministrator}}
	JudgeHeldSyncs      = Right{Do: "apply or discard held syncs", AppOwner: true, Roles: []ConsoleRole{ConnectorAdministrator, SuperAdministrator}}
	AddApps             = Right{Do: "add applications", Roles: []ConsoleRole{ConnectorAdministrator, SuperAdministrator}}
	ConfigureApps       = Right{Do: "change the settings of applications", AppOwner: true, Roles: []ConsoleRole{SuperAdministrator}}
	ConfigureSettings   = Right{Do: "change the settings of the console", Roles: []ConsoleRole{SuperAdministrator}}
	ManagePeople        = Right{Do: "add, invite, change and disable people", Roles: []ConsoleRole{SuperAdministrator}}
	ManageSCIM          = Right{Do: "connect identity providers that push people", Roles: []ConsoleRole{SuperAdministrator}}
	ConfigureSignIn     = Right{Do: "change how people sign in", Roles: []ConsoleRole{SuperAdministrator}}
	ManageWebhooks      = Right{Do: "manage webhooks", Roles: []ConsoleRole{SuperAdministrator}}
	ManageClients       = Right{Do: "make API credentials for services, and revoke those of others", Roles: []ConsoleRole{SuperAdministrator}}
	// ErasePeople is the right to propose to erase a person's personal data; a second person confirms it.
	ErasePeople = Right{Do: "erase the personal data of people", Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	// Ask is the right to request access for a person.
	Ask               = Right{Do: "ask for access of this person", Self: true, Manager: true, Roles: []ConsoleRole{Helpdesk, SuperAdministrator}}
	CancelRequests    = Right{Do: "cancel requests of others", AppOwner: true, Roles: []ConsoleRole{SuperAdministrator}}
	ReviewEmergencies = Right{Do: "look at emergency requests afterwards", Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	ManagePolicies    = Right{Do: "change policies", Roles: []ConsoleRole{SuperAdministrator}}
	// SecondChanges is the right to confirm an amendment as the second person.
	SecondChanges = Right{Do: "confirm changes that ask for less", AppOwner: true, Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	// ManageAutomations is the right to write and publish automations of an app. What their steps do
	// needs further rights: see [StepKind.Right].
	ManageAutomations = Right{Do: "change automations", AppOwner: true, Roles: []ConsoleRole{SuperAdministrator}}
	// PauseAutomations is the right to stop an automation.
	PauseAutomations = Right{Do: "pause automations", AppOwner: true, Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	ChangeRoles      = Right{Do: "change the roles of people", Roles: []ConsoleRole{SuperAdministrator}}
)

// The rights of reviews. Reviewers see and decide the items that they are asked about without a right.
var (
	SeeCampaigns = Right{Do: "see this review", CampaignOwner: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	AddCampaigns = Right{Do: "make reviews", Roles: []ConsoleRole{CampaignAdministrator, SuperAdministrator}}
	RunCampaigns = Right{Do: "run this review", CampaignOwner: true, Roles: []ConsoleRole{SuperAdministrator}}
	// DeclareIncompatible is the right to declare two entitlements of an app incompatible, and to end that.
	DeclareIncompatible = Right{Do: "declare entitlements incompatible", Roles: []ConsoleRole{CampaignAdministrator, SecurityOfficer, SuperAdministrator}}
	SeeIncompatible     = Right{Do: "see which entitlements are incompatible", Roles: []ConsoleRole{CampaignAdministrator, Auditor, SecurityOfficer, SuperAdministrator}}
)

// The rights to change access manually.
var (
	ChangeAccess = Right{Do: "remove access, and make, enable or disable accounts, by hand", AppOwner: true, Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	// RemoveAccess is the right to remove one access of a person, which a policy may have others
	// decide.
	RemoveAccess = Right{Do: "remove this access", AppOwner: true, EntitlementOwner: true, Manager: true, Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	// SeePlans is the right to see plans to remove access: of all apps in the plan.
	SeePlans = Right{Do: "see this plan", AppOwner: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	// SeeHolders is the right to see who holds one entitlement.
	SeeHolders = Right{Do: "see who holds this", AppOwner: true, EntitlementOwner: true, Roles: []ConsoleRole{Auditor, SecurityOfficer, SuperAdministrator}}
	// GiveBack is the right to give access of a person back early.
	GiveBack = Right{Do: "give back access of this person", Self: true, Manager: true}
	// ExplainChanges is the right to say why a change was made that nobody asked for here.
	ExplainChanges = Right{Do: "explain changes", AppOwner: true, Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	AcceptFindings = Right{Do: "accept and snooze findings", AppOwner: true, Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
	// AcceptConnectorFindings is the right for findings about a connector alone.
	AcceptConnectorFindings = Right{Do: "accept and snooze findings about connectors", AppOwner: true, ConnectorOwner: true, Roles: []ConsoleRole{ConnectorAdministrator, SecurityOfficer, SuperAdministrator}}
	RunActions              = Right{Do: "run actions of connectors", AppOwner: true, Roles: []ConsoleRole{SecurityOfficer, SuperAdministrator}}
)

// Object is the object of a check. Fields that do not matter are nil.
type Object struct {
	App       *App
	Connector *Connector
	Person    *Person
	// EntitlementOwners own the entitlement.
	EntitlementOwners []ID
	Campaign          *Campaign
}

// Of reports whether a person has the right for an object.
func (r Right) Of(p Person, o Object) bool {
	me := p.Canonical()
	owns := func(owners []ID) bool { return slices.Contains(owners, me) }
	return slices.ContainsFunc(r.Roles, func(role ConsoleRole) bool { return slices.Contains(p.Roles, role) }) ||
		r.AppOwner && o.App != nil && owns(o.App.Owners) ||
		r.EntitlementOwner && owns(o.EntitlementOwners) ||
		r.ConnectorOwner && o.Connector != nil && owns(o.Connector.Owners) ||
		r.CampaignOwner && o.Campaign != nil && slices.Contains(p.Roles, CampaignAdministrator) && owns(o.Campaign.Owners) ||
		r.Manager && o.Person != nil && o.Person.Manager != "" && o.Person.Manager == me ||
		r.Self && o.Person != nil && o.Person.Canonical() == me
}

// Check returns a PermissionDenied error that names the roles with the right, if a person lacks it
// for an object.
func (r Right) Check(p Person, o Object) error {
	if r.Of(p, o) {
		return nil
	}
	return baton.Errorf(baton.PermissionDenied, "you may not %s", r.Do).WithFix("This needs %s.", r.holders(o))
}

// holders describes who has the right: "the role A or B, or to be an owner of the application".
func (r Right) holders(o Object) string {
	var names []string
	for _, role := range r.Roles {
		names = append(names, role.Label())
	}
	if len(names) == 0 {
		return "to be the person, or the person's manager"
	}
	s := "the role " + orList(names)
	var owners []string
	if r.AppOwner && o.App != nil {
		owners = append(owners, "the application")
	}
	if r.EntitlementOwner && o.App != nil {
		owners = append(owners, "the entitlement")
	}
	if r.ConnectorOwner && o.Connector != nil {
		owners = append(owners, "the connector")
	}
	if r.CampaignOwner && o.Campaign != nil {
		owners = append(owners, "the review as a Campaign Administrator")
	}
	if len(owners) > 0 {
		s += ", or to own " + orList(owners)
	}
	return s
}

func orList(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}

// Label returns the name of a role for display.
func (r ConsoleRole) Label() string {
	words := strings.Split(string(r), "-")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}
