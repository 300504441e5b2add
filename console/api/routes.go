package api

// route is one call.
type route struct {
	pattern string // pattern for http.ServeMux
	scope   string // a credential needs one of these scopes; package govern checks them
	right   string // the right that the person needs; package govern checks it
	serve   func(*call) (any, error)
}

// Scopes and rights of routes, in words.
const (
	anyScope  = "any"
	read      = "read, configure or configure:APP"
	readAll   = "read or configure"
	look      = "read, ask, configure or configure:APP"
	configure = "configure or configure:APP"
	decide    = "decide"
	// Scopes for what belongs to no application.
	configureAll = "configure"
	ask          = "ask"
	// Scopes for requests.
	readTasks   = "read, ask, decide or configure"
	askOrDecide = "ask or decide"

	readAudit      = "read every event of the audit log"
	self           = "everybody, of themselves"
	nobody         = "nobody"
	seeAccess      = "see who has access, or hold it"
	seeConn        = "see connectors"
	configureC     = "configure connectors"
	configureA     = "change the settings of applications"
	add            = "add connectors or applications"
	seePeople      = "see people, or be the one"
	downloadRaw    = "download sync files and exports"
	judge          = "apply or discard held syncs"
	seePolicies    = "see policies"
	seePolicy      = "see policies, the application and the person"
	managePolicies = "change policies"
	askFor         = "ask for access, of themselves or their reports"
	seeTasks       = "see requests, or be one of their people"
	decideAsked    = "be asked to decide"
	cancels        = "have asked, or cancel requests of others"
	asker          = "have asked, or be whose access it is"
)

// ownToken is the call that authenticates its callers itself.
const ownToken = "POST /api/v1/iam/personal_clients"

// routes lists every call.
var routes = []route{
	// Calls of the platform.
	{"GET /api/v1/auth/introspect", anyScope, self, introspect},
	{"GET /api/v1/users/{user}", look, seePeople, getUser},
	{"POST /api/v1/search/users", read, seePeople, searchUsers},

	{"GET /api/v1/apps", look, seeAccess, listApps},
	{"POST /api/v1/apps", configure, add, createApp},
	{"POST /api/v1/search/apps", look, seeAccess, searchApps},
	{"GET /api/v1/apps/{app}", look, seeAccess, getApp},
	{"POST /api/v1/apps/{app}", configure, configureA, updateApp},
	{"GET /api/v1/apps/{app}/ownerids", look, seeAccess, listAppOwnerIDs},
	{"GET /api/v1/apps/{app}/owners", look, seeAccess, listAppOwners},
	{"PUT /api/v1/apps/{app}/owners", configure, configureA, setAppOwners},
	{"DELETE /api/v1/apps/{app}/owners", configure, configureA, removeAppOwners},

	{"GET /api/v1/apps/{app}/app_users", read, seeAccess, listAppUsers},
	{"GET /api/v1/apps/{app}/users/{user}/app_users", look, seePeople, listAppUsersOf},
	{"GET /api/v1/apps/{app}/app_users/{account}/credentials", anyScope, nobody, listAppUserCredentials},

	{"GET /api/v1/apps/{app}/entitlements", look, seeAccess, listEntitlements},
	{"GET /api/v1/apps/{app}/entitlements/{entitlement}", look, seeAccess, getEntitlement},
	{"GET /api/v1/apps/{app}/entitlements/{entitlement}/users/{user}/grants", look, seePeople, listGrants},
	{"POST /api/v1/apps/{app}/entitlements/{entitlement}", configure, configureA, updateEntitlement},
	{"GET /api/v1/apps/{app}/entitlements/{entitlement}/ownerids", read, configureA, listEntitlementOwnerIDs},
	{"PUT /api/v1/apps/{app}/entitlements/{entitlement}/owners", configure, configureA, setEntitlementOwners},
	{"DELETE /api/v1/apps/{app}/entitlements/{entitlement}/owners", configure, configureA, removeEntitlementOwners},
	{"POST /api/v1/apps/{app}/entitlements", anyScope, nobody, notMade("entitlements")},
	{"POST /api/v1/apps/{app}/resource_types", anyScope, nobody, notMade("resource types")},
	{"POST /api/v1/apps/{app}/resource_types/{type}/resources", anyScope, nobody, notMade("resources")},
	{"POST /api/v1/search/entitlements", look, seeAccess, searchEntitlements},
	{"POST /api/v1/search/request_catalog/entitlements", look, seeAccess, searchCatalog},

	{ownToken, "the token of a program that somebody confirmed", self, createPersonalClient},

	{"POST /api/v1/policies", configureAll, managePolicies, createPolicy},
	{"GET /api/v1/policies/{policy}", readAll, seePolicies, getPolicy},
	{"POST /api/v1/policies/{policy}", configureAll, managePolicies, updatePolicy},
	{"POST /api/v1/search/policies", readAll, seePolicies, searchPolicies},

	{"POST /api/v1/task/grant", ask, askFor, createGrant},
	{"POST /api/v1/task/revoke", ask, self, createRevoke},
	{"POST /api/v1/search/tasks", readTasks, seeTasks, searchTasks},
	{"GET /api/v1/tasks/{task}", readTasks, seeTasks, getTask},
	{"POST /api/v1/tasks/{task}/action/approve", decide, decideAsked, approveTask},
	{"POST /api/v1/tasks/{task}/action/deny", decide, decideAsked, denyTask},
	{"POST /api/v1/tasks/{task}/action/comment", askOrDecide, seeTasks, commentTask},
	{"POST /api/v1/tasks/{task}/action/escalate", ask, asker, escalateTask},
	{"POST /api/v1/tasks/{task}/action/update-request-data", ask, asker, answerTask},
	{"POST /api/v1/tasks/{task}/action/close", ask, cancels, closeTask},

	{"GET /api/v1/apps/{app}/connectors", read, seeConn, listConnectors},
	{"POST /api/v1/apps/{app}/connectors", configure, add, createConnector},
	{"POST /api/v1/apps/{app}/connectors/create", configure, add, createHostedConnector},
	{"GET /api/v1/apps/{app}/connectors/{connector}", read, seeConn, getConnector},
	{"POST /api/v1/apps/{app}/connectors/{connector}", configure, configureC, updateConnector},
	{"POST /api/v1/apps/{app}/connectors/{connector}/delegated", configure, configureC, updateConnector},
	{"POST /api/v1/apps/connectors/credentials", configure, configureC, rotateCredential},
	{"GET /api/v1/apps/{app}/connectors/{connector}/credentials", read, seeConn, listCredentials},
	{"GET /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}", read, seeConn, getCredential},
	{"POST /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}", configure, configureC, revokeCredential},

	// The console's own calls.
	{"GET /api/v1/openapi.json", anyScope, "everybody", openAPI},
	{"GET /api/v1/accounts", read, seeAccess, listAccounts},
	{"GET /api/v1/accounts/{account}", read, seeAccess, getAccount},
	{"GET /api/v1/connectors", read, seeConn, listAllConnectors},
	{"GET /api/v1/connectors/{connector}", read, seeConn, getOwnConnector},
	{"POST /api/v1/connectors/{connector}/action/sync", configure, configureC, syncConnector},
	{"POST /api/v1/connectors/{connector}/action/pause", configure, configureC, pauseConnector},
	{"POST /api/v1/connectors/{connector}/action/resume", configure, configureC, resumeConnector},
	{"POST /api/v1/connectors/{connector}/action/judge", decide, judge, judgeSync},
	{"POST /api/v1/policies/action/test", readAll, seePolicy, testPolicy},
	{"GET /api/v1/syncs", read, seeConn, listSyncs},
	{"GET /api/v1/syncs/{sync}", read, seeConn, getSync},
	{"GET /api/v1/syncs/{sync}/file", read, downloadRaw, downloadSync},
	{"GET /api/v1/events", readAll, readAudit, streamAudit},
}
