package web

// who says whom a page is for.
type who int

const (
	signedIn who = iota // people who are signed in; package govern knows what they may
	anybody             // everybody, also before signing in
)

// route is one page or form.
type route struct {
	pattern string // method and path, as http.ServeMux takes them
	who     who
	serve   func(*call) error
}

// routes lists everything that is served.
var routes = []route{
	{"GET /static/{file}", anybody, static},

	{"GET /setup", anybody, setupPage},
	{"POST /setup", anybody, setUp},
	{"GET /login", anybody, loginPage},
	{"POST /login", anybody, signIn},
	{"GET /login/{provider}", anybody, beginSignIn},
	{"GET /login/{provider}/callback", anybody, finishSignIn},
	{"GET /invitation/{token}", anybody, invitationPage},
	{"POST /invitation/{token}", anybody, acceptInvitation},
	{"GET /demo", anybody, demoPage},
	{"POST /demo", anybody, demoSignIn},
	{"GET /confirm", signedIn, confirmPage},
	{"POST /confirm", signedIn, confirm},
	{"GET /confirm/{provider}", signedIn, confirmWithProvider},
	{"GET /sessions", signedIn, sessionsPage},
	{"POST /sessions/end", signedIn, endSession},
	{"POST /sessions/end-others", signedIn, endOtherSessions},
	{"POST /logout", signedIn, signOut},

	{"GET /{$}", signedIn, homePage},
	{"GET /search", signedIn, searchPage},

	{"GET /request", signedIn, requestCatalogPage},
	{"GET /request/{app}", signedIn, requestCatalogPage},
	{"GET /request/{app}/{entitlement}", signedIn, newRequestPage},
	{"POST /request/{app}/{entitlement}", signedIn, submitRequest},
	{"POST /access/{app}/{entitlement}/give-back", signedIn, giveBack},
	{"GET /requests", signedIn, requestsPage},
	{"GET /requests/{request}", signedIn, requestShown},
	{"GET /task/{number}", signedIn, taskPage}, // as other clients print it
	{"POST /requests/{request}/steps/{step}/decide", signedIn, decideRequest},
	{"POST /requests/{request}/steps/{step}/reassign", signedIn, reassignRequest},
	{"POST /requests/{request}/comment", signedIn, commentRequest},
	{"POST /requests/{request}/cancel", signedIn, cancelRequest},
	{"POST /requests/{request}/extend", signedIn, extendRequest},
	{"POST /requests/{request}/give-back", signedIn, giveBackRequest},
	{"POST /requests/{request}/review", signedIn, reviewEmergency},
	{"GET /approvals", signedIn, approvals},
	{"POST /approvals", signedIn, decideMany},
	{"GET /delegation", signedIn, delegationShown},
	{"POST /delegation", signedIn, setDelegation},
	{"GET /policies", signedIn, policies},
	{"GET /policies/new", signedIn, newPolicyPage},
	{"POST /policies/new", signedIn, addPolicy},
	{"GET /policies/{policy}", signedIn, policyShown},
	{"POST /policies/{policy}", signedIn, savePolicy},
	{"POST /changes/{change}", signedIn, decideChange},
	{"GET /applications/{app}/requests", signedIn, requestSettingsShown},
	{"POST /applications/{app}/requests", signedIn, setRequestSettings},
	{"GET /applications/{app}/entitlements/{entitlement}/requests", signedIn, requestSettingsShown},
	{"POST /applications/{app}/entitlements/{entitlement}/requests", signedIn, setRequestSettings},

	{"GET /applications", signedIn, appsPage},
	{"GET /applications/unmanaged", signedIn, unmanagedPage},
	{"GET /applications/new", signedIn, newAppPage},
	{"POST /applications/new", signedIn, addApp},
	{"GET /applications/{app}", signedIn, appPage},
	{"POST /applications/{app}/accounts/{account}/owner", signedIn, setAccountOwner},
	{"POST /applications/{app}/accounts/{account}/type", signedIn, setAccountType},
	{"GET /applications/{app}/settings", signedIn, appSettings},
	{"GET /applications/{app}/settings/edit", signedIn, editAppRoles},
	{"POST /applications/{app}/settings/edit", signedIn, setAppRoles},
	{"GET /applications/{app}/accounts", signedIn, accountsPage},
	{"GET /applications/{app}/accounts/{account}", signedIn, accountPage},
	{"GET /applications/{app}/accounts/{account}/history", signedIn, accountHistoryPage},
	{"GET /applications/{app}/accounts/{account}/entitlements/{entitlement}", signedIn, accessPage},
	{"POST /applications/{app}/accounts/{account}/entitlements/{entitlement}/remove", signedIn, removeAccess},
	{"POST /applications/{app}/accounts/{account}/enable", signedIn, enableAccount},
	{"GET /applications/{app}/operations", signedIn, operationsPage},
	{"GET /applications/{app}/operations/{operation}", signedIn, operationPage},
	{"POST /applications/{app}/operations/{operation}/retry", signedIn, retryOperation},
	{"POST /applications/{app}/operations/{operation}/cancel", signedIn, cancelOperation},
	{"POST /applications/{app}/operations/{operation}/by-hand", signedIn, doByHand},
	{"POST /applications/{app}/operations/{operation}/done", signedIn, doneByHand},
	{"GET /applications/{app}/entitlements", signedIn, entitlementsPage},
	{"GET /applications/{app}/entitlements/{entitlement}", signedIn, entitlementPage},
	{"GET /applications/{app}/entitlements/{entitlement}/history", signedIn, entitlementHistoryPage},

	{"GET /connectors", signedIn, connectorsPage},
	{"GET /admin/connectors", signedIn, connectorsPage}, // the other way there
	{"GET /catalog", signedIn, connectorCatalog},
	{"GET /catalog/{product}", signedIn, newConnectorPage},
	{"POST /catalog/{product}", signedIn, addConnector},
	{"GET /connectors/{connector}", signedIn, connectorPage},
	{"POST /connectors/{connector}/pause", signedIn, pauseConnector},
	{"POST /connectors/{connector}/syncs/{sync}/judge", signedIn, judgeSync},
	{"GET /connectors/{connector}/settings", signedIn, connectorSettings},
	{"GET /connectors/{connector}/settings/edit", signedIn, connectorEdit},
	{"POST /connectors/{connector}/settings/edit", signedIn, configureConnector},
	{"POST /connectors/{connector}/test", signedIn, testConnector},
	{"POST /connectors/{connector}/sync", signedIn, syncNow},
	{"POST /connectors/{connector}/rotate", signedIn, rotateCredentials},
	{"POST /connectors/{connector}/revoke", signedIn, revokeCredential},
	{"GET /connectors/{connector}/hosts", signedIn, connectorHosts},
	{"GET /connectors/{connector}/log", signedIn, connectorLog},
	{"GET /connectors/{connector}/actions", signedIn, actionsPage},
	{"POST /connectors/{connector}/actions", signedIn, askActions},
	{"GET /connectors/{connector}/actions/{action}", signedIn, actionPage},
	{"POST /connectors/{connector}/actions/{action}", signedIn, runAction},
	{"GET /connectors/{connector}/upload", signedIn, uploadPage},
	{"POST /connectors/{connector}/upload", signedIn, uploadSync},
	{"GET /live/connectors", signedIn, connectorsLive},
	{"GET /live/requests/{request}", signedIn, requestLive},
	{"GET /live/connectors/{connector}", signedIn, connectorLive},

	{"GET /settings/mail", signedIn, mailSettings},
	{"POST /settings/mail", signedIn, configureMail},
	{"POST /settings/mail/test", signedIn, testMail},
	{"GET /settings/mail/outbox", signedIn, outbox},
	{"POST /settings/mail/outbox/{mail}/retry", signedIn, retryMail},
	{"POST /applications/{app}/owners", signedIn, changeAppOwners},
	{"POST /connectors/{connector}/owners", signedIn, changeConnectorOwners},

	{"GET /me/mail", signedIn, mailChoiceForm},
	{"POST /me/mail", signedIn, chooseMail},

	{"GET /people", signedIn, peoplePage},
	{"GET /people/new", signedIn, newPersonPage},
	{"POST /people/new", signedIn, addPerson},
	{"GET /people/{person}", signedIn, personPage},
	{"GET /people/{person}/history", signedIn, personHistoryPage},
	{"POST /people/{person}/invite", signedIn, invitePerson},
	{"POST /people/{person}/status", signedIn, setPersonStatus},
	{"POST /people/{person}/roles", signedIn, setPersonRoles},
	{"POST /people/{person}/identities/remove", signedIn, removeIdentity},

	{"GET /settings/sign-in", signedIn, signInPage},
	{"GET /settings/sign-in/new", signedIn, newProviderPage},
	{"POST /settings/sign-in/new", signedIn, addProvider},
	{"POST /settings/sign-in/break-glass", signedIn, newBreakGlass},
	{"POST /settings/sign-in/break-glass/end", signedIn, endBreakGlass},
	{"GET /settings/sign-in/{provider}", signedIn, providerPage},
	{"POST /settings/sign-in/{provider}", signedIn, changeProvider},
	{"POST /settings/sign-in/{provider}/remove", signedIn, removeProvider},

	{"GET /settings/domains", signedIn, domainsPage},
	{"POST /settings/domains", signedIn, setDomains},

	{"GET /audit", signedIn, auditLog},
	{"GET /audit/export", signedIn, exportAudit},
	{"GET /audit/head", signedIn, auditHead},
	{"POST /audit/check", signedIn, checkAudit},

	{"GET /credentials", signedIn, ownClientsPage},
	{"POST /credentials", signedIn, addOwnClient},
	{"POST /credentials/{credential}/revoke", signedIn, revokeClient},
	{"GET /settings/api-credentials", signedIn, allClientsPage},
	{"POST /settings/api-credentials", signedIn, addServiceClient},
}
