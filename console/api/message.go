package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// list is a repeated field. An empty one is [], never null.
type list[T any] []T

func (l list[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}

// words is a map of strings. An empty one is {}, never null.
type words map[string]string

func (m words) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]string(m))
}

// text is text for people. Clients print it on terminals, so characters that could change what else
// is displayed there become visible escapes.
type text string

func (t text) MarshalJSON() ([]byte, error) { return json.Marshal(t.shown()) }

// shown returns the text as clients get it.
func (t text) shown() string {
	if !strings.ContainsFunc(string(t), misleads) {
		return string(t)
	}
	var b strings.Builder
	for _, r := range string(t) {
		if misleads(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// misleads reports whether a character controls a terminal, or the direction of other characters.
func misleads(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

// stamp is a time. The zero time is null.
type stamp time.Time

func (t stamp) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(time.Time(t).UTC())
}

// period is a duration, "3600s". Zero is null.
type period time.Duration

func (p period) MarshalJSON() ([]byte, error) {
	if p == 0 {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "\"%ds\"", time.Duration(p)/time.Second), nil
}

// null is an unset message.
type null struct{}

func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// empty is a message without fields, for members of a oneof.
type empty struct{}

// The fields of the messages are those of the platform, in its order. TestModels compares them.

type app struct {
	AccessModel                         string     `json:"accessModel"`
	Annotations                         words      `json:"annotations"`
	AppAccountID                        string     `json:"appAccountId"`
	AppAccountName                      string     `json:"appAccountName"`
	AppOwners                           list[user] `json:"appOwners"`
	AppUserMapper                       null       `json:"appUserMapper"`
	CertifyPolicyID                     string     `json:"certifyPolicyId"`
	ConnectorVersion                    int        `json:"connectorVersion"`
	CreatedAt                           stamp      `json:"createdAt"`
	DefaultRequestCatalogID             string     `json:"defaultRequestCatalogId"`
	DeletedAt                           stamp      `json:"deletedAt"`
	Description                         text       `json:"description"`
	DisplayName                         text       `json:"displayName"`
	EnableConnectorSourcedOwnership     bool       `json:"enableConnectorSourcedOwnership"`
	FieldMask                           null       `json:"fieldMask"`
	GrantPolicyID                       string     `json:"grantPolicyId"`
	IconURL                             string     `json:"iconUrl"`
	ID                                  string     `json:"id"`
	IdentityMatching                    string     `json:"identityMatching"`
	Instructions                        string     `json:"instructions"`
	IsDirectory                         bool       `json:"isDirectory"`
	IsManuallyManaged                   bool       `json:"isManuallyManaged"`
	LogoURI                             string     `json:"logoUri"`
	MonthlyCostUsd                      int        `json:"monthlyCostUsd"`
	ParentAppID                         string     `json:"parentAppId"`
	RevokeGrantSources                  bool       `json:"revokeGrantSources"`
	RevokePolicyID                      string     `json:"revokePolicyId"`
	StrictAccessEntitlementProvisioning bool       `json:"strictAccessEntitlementProvisioning"`
	UpdatedAt                           stamp      `json:"updatedAt"`
	UserCount                           int64      `json:"userCount,string"`
}

type appEntitlement struct {
	Alias                          string       `json:"alias"`
	Annotations                    words        `json:"annotations"`
	AppID                          string       `json:"appId"`
	AppResourceID                  string       `json:"appResourceId"`
	AppResourceTypeID              string       `json:"appResourceTypeId"`
	CertifyPolicyID                string       `json:"certifyPolicyId"`
	ComplianceFrameworkValueIDs    list[string] `json:"complianceFrameworkValueIds"`
	CreatedAt                      stamp        `json:"createdAt"`
	DefaultValuesApplied           bool         `json:"defaultValuesApplied"`
	DeletedAt                      stamp        `json:"deletedAt"`
	DeprovisionerPolicy            null         `json:"deprovisionerPolicy"`
	Description                    text         `json:"description"`
	DisplayName                    text         `json:"displayName"`
	DurationGrant                  string       `json:"durationGrant,omitempty"` // one of this and DurationUnset
	DurationUnset                  *empty       `json:"durationUnset,omitempty"`
	EmergencyGrantEnabled          bool         `json:"emergencyGrantEnabled"`
	EmergencyGrantPolicyID         string       `json:"emergencyGrantPolicyId"`
	ExternalID                     string       `json:"externalId"`
	GrantCount                     int64        `json:"grantCount,string"`
	GrantPolicyID                  string       `json:"grantPolicyId"`
	ID                             string       `json:"id"`
	IsAutomationEnabled            bool         `json:"isAutomationEnabled"`
	IsManuallyManaged              bool         `json:"isManuallyManaged"`
	MatchBatonID                   string       `json:"matchBatonId"`
	OverrideAccessRequestsDefaults bool         `json:"overrideAccessRequestsDefaults"`
	ProvisionerPolicy              null         `json:"provisionerPolicy"`
	Purpose                        string       `json:"purpose"`
	RequestSchemaID                string       `json:"requestSchemaId"`
	RevokePolicyID                 string       `json:"revokePolicyId"`
	RiskLevelValueID               string       `json:"riskLevelValueId"`
	Slug                           string       `json:"slug"`
	SourceConnectorIDs             words        `json:"sourceConnectorIds"`
	SystemBuiltin                  bool         `json:"systemBuiltin"`
	UpdatedAt                      stamp        `json:"updatedAt"`
	UserEditedMask                 null         `json:"userEditedMask"`
}

type appEntitlementView struct {
	AppEntitlement      appEntitlement `json:"appEntitlement"`
	AppPath             string         `json:"appPath"`
	AppResourcePath     string         `json:"appResourcePath"`
	AppResourceTypePath string         `json:"appResourceTypePath"`
	ObjectPermissions   null           `json:"objectPermissions"`
}

type appEntitlementUserBinding struct {
	AppEntitlementID string    `json:"appEntitlementId"`
	AppID            string    `json:"appId"`
	AppUserID        string    `json:"appUserId"`
	CreatedAt        stamp     `json:"createdAt"`
	DeletedAt        stamp     `json:"deletedAt"`
	DeprovisionAt    stamp     `json:"deprovisionAt"`
	GrantSources     list[any] `json:"grantSources"`
}

type appEntitlementWithUserBindings struct {
	AppEntitlementUserBindings list[appEntitlementUserBinding] `json:"appEntitlementUserBindings"`
	Entitlement                appEntitlementView              `json:"entitlement"`
}

type appResource struct {
	AccessConfigID          string          `json:"accessConfigId"`
	Annotations             words           `json:"annotations"`
	AppID                   string          `json:"appId"`
	AppResourceTypeID       string          `json:"appResourceTypeId"`
	CreatedAt               stamp           `json:"createdAt"`
	CustomDescription       text            `json:"customDescription"`
	DeletedAt               stamp           `json:"deletedAt"`
	Description             text            `json:"description"`
	DisplayName             text            `json:"displayName"`
	ExternalID              string          `json:"externalId"`
	GrantCount              int64           `json:"grantCount,string"`
	ID                      string          `json:"id"`
	MatchBatonID            string          `json:"matchBatonId"`
	NhiDetail               string          `json:"nhiDetail"`
	NhiType                 string          `json:"nhiType"`
	ParentAppResourceID     string          `json:"parentAppResourceId"`
	ParentAppResourceTypeID string          `json:"parentAppResourceTypeId"`
	Profile                 json.RawMessage `json:"profile"`
	UpdatedAt               stamp           `json:"updatedAt"`
}

type appResourceType struct {
	AppID       string       `json:"appId"`
	CreatedAt   stamp        `json:"createdAt"`
	DeletedAt   stamp        `json:"deletedAt"`
	DisplayName text         `json:"displayName"`
	ID          string       `json:"id"`
	TraitIDs    list[string] `json:"traitIds"`
	UpdatedAt   stamp        `json:"updatedAt"`
}

type appUser struct {
	AppID          string          `json:"appId"`
	AppUserType    string          `json:"appUserType"`
	CreatedAt      stamp           `json:"createdAt"`
	DeletedAt      stamp           `json:"deletedAt"`
	DisplayName    text            `json:"displayName"`
	Email          string          `json:"email"`
	Emails         list[string]    `json:"emails"`
	EmployeeIDs    list[string]    `json:"employeeIds"`
	ID             string          `json:"id"`
	IdentityUserID string          `json:"identityUserId"`
	IsExternal     bool            `json:"isExternal"`
	Profile        json.RawMessage `json:"profile"`
	Status         appUserStatus   `json:"status"`
	UpdatedAt      stamp           `json:"updatedAt"`
	Username       text            `json:"username"`
	Usernames      list[string]    `json:"usernames"`
}

type appUserStatus struct {
	Details string `json:"details"`
	Status  string `json:"status"`
}

type appUserView struct {
	AppPath          string  `json:"appPath"`
	AppUser          appUser `json:"appUser"`
	IdentityUserPath string  `json:"identityUserPath"`
	LastUsagePath    string  `json:"lastUsagePath"`
}

type user struct {
	CreatedAt               stamp           `json:"createdAt"`
	DelegatedUserID         string          `json:"delegatedUserId"`
	DeletedAt               stamp           `json:"deletedAt"`
	Department              text            `json:"department"`
	DepartmentSources       list[any]       `json:"departmentSources"`
	DirectoryIDs            list[string]    `json:"directoryIds"`
	DirectoryStatus         string          `json:"directoryStatus"`
	DirectoryStatusSources  list[any]       `json:"directoryStatusSources"`
	DisplayName             text            `json:"displayName"`
	Email                   string          `json:"email"`
	EmailSources            list[any]       `json:"emailSources"`
	Emails                  list[string]    `json:"emails"`
	EmployeeIDSources       list[any]       `json:"employeeIdSources"`
	EmployeeIDs             list[string]    `json:"employeeIds"`
	EmploymentStatus        string          `json:"employmentStatus"`
	EmploymentStatusSources list[any]       `json:"employmentStatusSources"`
	EmploymentType          string          `json:"employmentType"`
	EmploymentTypeSources   list[any]       `json:"employmentTypeSources"`
	ID                      string          `json:"id"`
	JobTitle                text            `json:"jobTitle"`
	JobTitleSources         list[any]       `json:"jobTitleSources"`
	ManagerIDs              list[string]    `json:"managerIds"`
	ManagerSources          list[any]       `json:"managerSources"`
	Origin                  string          `json:"origin"`
	Profile                 json.RawMessage `json:"profile"`
	RoleIDs                 list[string]    `json:"roleIds"`
	Status                  string          `json:"status"`
	Type                    string          `json:"type"`
	UpdatedAt               stamp           `json:"updatedAt"`
	Username                text            `json:"username"`
	UsernameSources         list[any]       `json:"usernameSources"`
	Usernames               list[string]    `json:"usernames"`
}

type userView struct {
	DelegatedUserPath string `json:"delegatedUserPath"`
	DirectoriesPath   string `json:"directoriesPath"`
	ManagersPath      string `json:"managersPath"`
	ObjectPermissions null   `json:"objectPermissions"`
	RolesPath         string `json:"rolesPath"`
	User              user   `json:"user"`
	UserID            string `json:"userId"`
}

type introspectResponse struct {
	DeviceClientID string       `json:"deviceClientId"`
	Features       list[string] `json:"features"`
	Permissions    list[string] `json:"permissions"`
	PrincipleID    string       `json:"principleId"` // as the platform spells it
	Roles          list[string] `json:"roles"`
	TenantID       string       `json:"tenantId"`
	UserID         string       `json:"userId"`
}

type connector struct {
	Status               connectorStatus `json:"status"`
	OauthAuthorizedAs    null            `json:"oauthAuthorizedAs"`
	SyncConfig           null            `json:"syncConfig"`
	AppID                string          `json:"appId"`
	CanResumeSync        bool            `json:"canResumeSync"`
	CatalogID            string          `json:"catalogId"`
	Config               null            `json:"config"`
	CreatedAt            stamp           `json:"createdAt"`
	DeletedAt            stamp           `json:"deletedAt"`
	Description          text            `json:"description"`
	DisableCheckBadSync  bool            `json:"disableCheckBadSync"`
	DisplayName          text            `json:"displayName"`
	DownloadURL          string          `json:"downloadUrl"`
	ID                   string          `json:"id"`
	ProfileAllowList     list[string]    `json:"profileAllowList"`
	ProfileIgnoreList    list[string]    `json:"profileIgnoreList"`
	SyncDisabledAt       stamp           `json:"syncDisabledAt"`
	SyncDisabledCategory string          `json:"syncDisabledCategory"`
	SyncDisabledReason   string          `json:"syncDisabledReason"`
	UpdatedAt            stamp           `json:"updatedAt"`
	UserIDs              list[string]    `json:"userIds"`
}

type connectorStatus struct {
	CompletedAt stamp  `json:"completedAt"`
	LastError   string `json:"lastError"`
	StartedAt   stamp  `json:"startedAt"`
	Status      string `json:"status"`
	UpdatedAt   stamp  `json:"updatedAt"`
}

type connectorView struct {
	Connector        connector `json:"connector"`
	AppPath          string    `json:"appPath"`
	CapabilitiesPath string    `json:"capabilitiesPath"`
	UsersPath        string    `json:"usersPath"`
}

type connectorCredential struct {
	AppID        string `json:"appId"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	ConnectorID  string `json:"connectorId"`
	CreatedAt    stamp  `json:"createdAt"`
	DeletedAt    stamp  `json:"deletedAt"`
	DisplayName  text   `json:"displayName"`
	ExpiresTime  stamp  `json:"expiresTime"`
	ID           string `json:"id"`
	LastUsedAt   stamp  `json:"lastUsedAt"`
	UpdatedAt    stamp  `json:"updatedAt"`
}
