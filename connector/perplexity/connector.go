// Package perplexity connects a Perplexity Enterprise organisation over SCIM 2.0, the only programmatic
// interface that Perplexity offers.
//
// It reads accounts, groups and memberships; it grants and revokes membership, creates accounts, and disables
// and enables them. It never deletes: Perplexity keeps the record of a person who lost access. It never
// writes a whole member list, and it never leaves an organisation without an enabled admin unless a setting
// allows it.
//
// users.go and groups.go read; change.go, account.go and status.go change; roles.go decides which groups mean
// Admin and Member; naming.go identifies the accounts in member lists; guard.go refuses changes that would
// lock everybody out.
package perplexity

import (
	"context"
	"errors"
	"strings"
	"sync"

	"baton"
	"baton/connector/rest"
	"baton/connector/scim"
)

// The resource types and the entitlement of this connector. They are part of every identity.
const (
	userType   = "user"
	groupType  = "group"
	memberSlug = "member"
)

// Config configures the connector of one organisation.
type Config struct {
	REST *rest.Client // the SCIM endpoint; nil describes the connector without one

	// AdminGroups and MemberGroups name the groups that Perplexity maps to its two
	// roles, by display name or id. Empty means the usual names.
	AdminGroups  []string
	MemberGroups []string
	// Priority is the role of an account in groups of both roles: "admin", "member", or "" if unknown.
	Priority string
	// MinAdmins is the number of enabled admins that every change must leave.
	MinAdmins int
	// AllowLastAdmin switches the guard off.
	AllowLastAdmin bool
}

// connector implements the functions of baton.Connector for one organisation.
type connector struct {
	cfg   Config
	scim  *scim.Client
	locks sync.Map // group id or roleLock ─▶ chan struct{}, full while held
	// leaving holds accounts whose admin rights were to be taken away by a change that did not show: user id
	// ─▶ time.Time. They do not count as admins for a while.
	leaving sync.Map
	doubts  doubts   // of the last sync in this process
	met     sync.Map // accounts that an action has read: user id ─▶ true
}

// New returns the connector. Without Config.REST it can be described but not used.
func New(cfg Config) *baton.Connector {
	c := &connector{cfg: cfg}
	origin := ""
	if cfg.REST != nil {
		c.scim = scim.New(scim.Config{REST: cfg.REST})
		origin = cfg.REST.Origin() + cfg.REST.Scope()
	}
	return &baton.Connector{
		Name:        "baton-perplexity",
		DisplayName: "Perplexity",
		Description: "Accounts, groups and group membership of a Perplexity Enterprise organisation, over SCIM 2.0.",
		HelpURL:     "https://www.perplexity.ai/help-center/en/articles/11652604-scim-based-user-account-management",
		Origin:      origin,
		ResourceTypes: []baton.ResourceType{
			{ID: userType, DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true, Provision: true,
				Columns:     []baton.Column{{Key: "title", Title: "Title"}, {Key: "department", Title: "Department"}},
				Description: "An account that is managed through SCIM."},
			{ID: groupType, DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}, Provision: true,
				Description: "A group pushed by the identity provider; two of them carry the roles Admin and Member."},
		},
		Feeds: []baton.Feed{
			// The groups come first: of two grants of the same membership, the group's counts.
			{Name: "groups", Types: []string{groupType}, Next: c.nextGroups},
			{Name: "users", Types: []string{userType, groupType}, Next: c.nextUsers},
		},
		Validate: c.validate,
		Get:      c.get,
		Grant:    c.grant,
		Revoke:   c.revoke,
		Account:  c.accountCreation(),
		Actions:  c.actions(),
		Diagnose: c.diagnose,
		Review:   c.review,
		Roles:    c.readRoles,
		RoleHints: &baton.RoleHints{ResourceType: groupType, Slug: memberSlug,
			Admin:    baton.RoleNames{Configured: cfg.AdminGroups, Usual: adminNames[0]},
			Member:   baton.RoleNames{Configured: cfg.MemberGroups, Usual: memberNames},
			Priority: cfg.Priority, MinimumAdmins: cfg.MinAdmins},
		Resolve: c.resolvePrincipals,
	}
}

// Settings returns the settings of the connector.
func Settings() []baton.Setting {
	return []baton.Setting{
		{Name: "scim-token", DisplayName: "SCIM Token", Kind: baton.SecretSetting, Required: true,
			Description: "The SCIM bearer token from the Perplexity Enterprise admin console"},
		{Name: "scim-url", DisplayName: "SCIM URL", Kind: baton.StringSetting, Required: true,
			Placeholder: "https://api.workos.com/scim/v2.0/...",
			Description: "The SCIM endpoint URL from the Perplexity Enterprise admin console"},
		{Name: "admin-group", DisplayName: "Admin groups", Kind: baton.StringsSetting, Advanced: true,
			Description: "Name or id of the group that Perplexity maps to Admin (default: PPLX_Admin and the like)"},
		{Name: "member-group", DisplayName: "Member groups", Kind: baton.StringsSetting, Advanced: true,
			Description: "Name or id of the group that Perplexity maps to Member (default: PPLX_Members and the like)"},
		{Name: "role-priority", DisplayName: "Role priority", Kind: baton.StringSetting, Advanced: true, Placeholder: "admin or member",
			Description: "Role of somebody in groups of both roles, as configured in Perplexity: admin or member (default: unknown, assume the worse)"},
		{Name: "min-admins", DisplayName: "Least number of admins", Kind: baton.IntSetting, Default: 1, Min: 1, Max: 1000, Advanced: true,
			Description: "Refuse changes that would leave fewer enabled admins than this, and hold a sync that shows fewer"},
		{Name: "allow-last-admin", DisplayName: "Allow removing the last admin", Kind: baton.BoolSetting, Advanced: true,
			Description: "Carry changes out even if they leave too few admins"},
	}
}

// Configure reads the connector's own settings. The caller connects to the endpoint.
func Configure(v baton.Values) (Config, error) {
	cfg := Config{
		AdminGroups:    v.Strings("admin-group"),
		MemberGroups:   v.Strings("member-group"),
		Priority:       strings.ToLower(strings.TrimSpace(v.String("role-priority"))),
		MinAdmins:      v.Int("min-admins"),
		AllowLastAdmin: v.Bool("allow-last-admin"),
	}
	switch cfg.Priority {
	case "", priorityAdmin, priorityMember:
		return cfg, nil
	}
	return cfg, baton.Errorf(baton.Invalid, "role-priority is %q", cfg.Priority).
		WithFix("Set it to admin or to member, as the group priority is configured in Perplexity.")
}

// roleLock is the key of the lock for role changes. No group has this id.
const roleLock = ""

// lock serialises the changes of one group, so that the check after a change sees no other
// change of this process. A caller that needs two locks takes the group's first.
func (c *connector) lock(ctx context.Context, key string) (unlock func(), err error) {
	v, _ := c.locks.LoadOrStore(key, make(chan struct{}, 1))
	held := v.(chan struct{})
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func userResource(id string) baton.ResourceID  { return baton.ResourceID{Type: userType, ID: id} }
func groupResource(id string) baton.ResourceID { return baton.ResourceID{Type: groupType, ID: id} }

func memberOf(groupID string) baton.EntitlementID {
	return baton.EntitlementID{Resource: groupResource(groupID), Slug: memberSlug}
}

// Open returns the connector for the given settings. It sends nothing. The error is Invalid and lists all
// problems with the settings.
func Open(v baton.Values, o rest.Options) (*baton.Connector, error) {
	cfg, err := Configure(v)
	client, restErr := rest.New(rest.Config{BaseURL: v.String("scim-url"), BaseURLName: "scim-url", ReservedQuery: scim.QueryParameters(),
		Token: v.Secret("scim-token"), TokenName: "scim-token"}.With(o))
	if err := errors.Join(err, restErr); err != nil {
		return nil, err
	}
	cfg.REST = client
	return New(cfg), nil
}
