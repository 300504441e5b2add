package api

import "reflect"

// route is one call.
type route struct {
	pattern string // pattern for http.ServeMux
	scope   string // a credential needs one of these scopes; package govern checks them
	right   string // the right that the person needs; package govern checks it
	endpoint
}

// endpoint serves a call. The OpenAPI document is made from the types of its messages.
type endpoint struct {
	request  reflect.Type // nil: no body
	response reflect.Type // nil: no JSON
	query    []string     // parameters of the query
	serve    func(*call) (any, error)
}

// responds returns an endpoint without a request body.
func responds[A any](serve func(*call) (*A, error)) endpoint {
	return endpoint{response: reflect.TypeFor[A](), serve: func(c *call) (any, error) { return serve(c) }}
}

// takes returns an endpoint that decodes the request body.
func takes[R, A any](serve func(*call, R) (*A, error)) endpoint {
	return endpoint{request: reflect.TypeFor[R](), response: reflect.TypeFor[A](), serve: func(c *call) (any, error) {
		var r R
		if err := c.decode(&r); err != nil {
			return nil, err
		}
		return serve(c, r)
	}}
}

// with returns the endpoint with parameters of the query.
func (e endpoint) with(query ...string) endpoint {
	e.query = query
	return e
}

// writes returns an endpoint that writes its response itself.
func writes(serve func(*call) error) endpoint {
	return endpoint{serve: func(c *call) (any, error) { return nil, serve(c) }}
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
	seeEvents      = "everybody, of what they did, what concerns them and what they look after"
	self           = "everybody, of themselves"
	nobody         = "nobody"
	seeAccess      = "see who has access, or hold it"
	seeFindings    = "see who has access, or see the connector"
	acceptFindings = "accept and snooze findings"
	seePlans       = "see who has access in all applications of the plan, or have made it"
	removeAccess   = "remove each access of the plan"
	seeConn        = "see connectors"
	configureC     = "configure connectors"
	configureA     = "change the settings of applications"
	changeAccess   = "remove access by hand"
	add            = "add connectors or applications"
	seePeople      = "see people, or be the one"
	downloadRaw    = "download sync files and exports"
	judge          = "apply or discard held syncs"
	seePolicies    = "see policies"
	seePolicy      = "see policies, the application and the person"
	managePolicies = "change policies"
	seeSettings    = "see the settings"
	changeSettings = "change the settings of the console"
	manageWebhooks = "manage webhooks"

	seeAutomations    = "see automations"
	manageAutomations = "change automations"
	pausesAutomations = "pause automations"

	askFor      = "ask for access, of themselves or their reports"
	seeTasks    = "see requests, or be one of their people"
	decideAsked = "be asked to decide"
	cancels     = "have asked, or cancel requests of others"
	asker       = "have asked, or be whose access it is"
)

// The rights of reviews, in words.
const (
	seeCampaigns        = "see the review, or be one of its reviewers"
	seeCampaign         = "see the review as a whole"
	addCampaigns        = "make reviews"
	runCampaigns        = "run the review"
	seeIncompatible     = "see which entitlements are incompatible"
	declareIncompatible = "declare entitlements incompatible"
)

// ownToken is the call that authenticates its callers itself.
const ownToken = "POST /api/v1/iam/personal_clients"

// routes lists every call.
var routes = []route{
	// Calls of the platform.
	{"GET /api/v1/auth/introspect", anyScope, self, responds(introspect)},
	{"GET /api/v1/users/{user}", look, seePeople, responds(getUser)},
	{"POST /api/v1/search/users", read, seePeople, takes(searchUsers)},

	{"GET /api/v1/apps", look, seeAccess, responds(listApps).with("page_size", "page_token")},
	{"POST /api/v1/apps", configure, add, takes(createApp)},
	{"POST /api/v1/search/apps", look, seeAccess, takes(searchApps)},
	{"GET /api/v1/apps/{app}", look, seeAccess, responds(getApp)},
	{"POST /api/v1/apps/{app}", configure, configureA, takes(updateApp)},
	{"DELETE /api/v1/apps/{app}", configure, configureA, responds(removeApp)},
	{"GET /api/v1/apps/{app}/ownerids", look, seeAccess, responds(listAppOwnerIDs)},
	{"GET /api/v1/apps/{app}/owners", look, seeAccess, responds(listAppOwners)},
	{"PUT /api/v1/apps/{app}/owners", configure, configureA, takes(setAppOwners)},
	{"DELETE /api/v1/apps/{app}/owners", configure, configureA, responds(removeAppOwners)},

	{"GET /api/v1/apps/{app}/app_users", read, seeAccess, responds(listAppUsers).with("at", "page_size", "page_token")},
	{"GET /api/v1/apps/{app}/users/{user}/app_users", look, seePeople, responds(listAppUsersOf)},
	{"GET /api/v1/apps/{app}/app_users/{account}/credentials", anyScope, nobody, responds(listAppUserCredentials)},

	{"GET /api/v1/apps/{app}/entitlements", look, seeAccess, responds(listEntitlements).with("page_size", "page_token")},
	{"GET /api/v1/apps/{app}/entitlements/{entitlement}", look, seeAccess, responds(getEntitlement)},
	{"GET /api/v1/apps/{app}/entitlements/{entitlement}/users/{user}/grants", look, seePeople, responds(listGrants)},
	{"POST /api/v1/apps/{app}/entitlements/{entitlement}", configure, configureA, takes(updateEntitlement)},
	{"GET /api/v1/apps/{app}/entitlements/{entitlement}/ownerids", read, configureA, responds(listEntitlementOwnerIDs)},
	{"PUT /api/v1/apps/{app}/entitlements/{entitlement}/owners", configure, configureA, takes(setEntitlementOwners)},
	{"DELETE /api/v1/apps/{app}/entitlements/{entitlement}/owners", configure, configureA, responds(removeEntitlementOwners)},
	{"POST /api/v1/apps/{app}/entitlements", anyScope, nobody, responds(notMade("entitlements"))},
	{"POST /api/v1/apps/{app}/resource_types", anyScope, nobody, responds(notMade("resource types"))},
	{"POST /api/v1/apps/{app}/resource_types/{type}/resources", anyScope, nobody, responds(notMade("resources"))},
	{"POST /api/v1/search/entitlements", look, seeAccess, takes(searchEntitlements)},
	{"POST /api/v1/search/request_catalog/entitlements", look, seeAccess, takes(searchCatalog)},

	{ownToken, "the token of a program that somebody confirmed", self, takes(createPersonalClient)},

	{"POST /api/v1/policies", configureAll, managePolicies, takes(createPolicy)},
	{"GET /api/v1/policies/{policy}", readAll, seePolicies, responds(getPolicy)},
	{"POST /api/v1/policies/{policy}", configureAll, managePolicies, takes(updatePolicy)},
	{"DELETE /api/v1/policies/{policy}", configureAll, managePolicies, responds(removePolicy)},
	{"POST /api/v1/search/policies", readAll, seePolicies, takes(searchPolicies)},

	{"POST /api/v1/task/grant", ask, askFor, takes(createGrant)},
	{"POST /api/v1/task/revoke", ask, self, takes(createRevoke)},
	{"POST /api/v1/search/tasks", readTasks, seeTasks, takes(searchTasks)},
	{"GET /api/v1/tasks/{task}", readTasks, seeTasks, responds(getTask)},
	{"POST /api/v1/tasks/{task}/action/approve", decide, decideAsked, takes(approveTask)},
	{"POST /api/v1/tasks/{task}/action/deny", decide, decideAsked, takes(denyTask)},
	{"POST /api/v1/tasks/{task}/action/comment", askOrDecide, seeTasks, takes(commentTask)},
	{"POST /api/v1/tasks/{task}/action/escalate", ask, asker, takes(escalateTask)},
	{"POST /api/v1/tasks/{task}/action/update-request-data", ask, asker, takes(answerTask)},
	{"POST /api/v1/tasks/{task}/action/close", ask, cancels, takes(closeTask)},

	{"GET /api/v1/apps/{app}/connectors", read, seeConn, responds(listConnectors)},
	{"POST /api/v1/apps/{app}/connectors", configure, add, takes(createConnector)},
	{"POST /api/v1/apps/{app}/connectors/create", configure, add, takes(createHostedConnector)},
	{"GET /api/v1/apps/{app}/connectors/{connector}", read, seeConn, responds(getConnector)},
	{"POST /api/v1/apps/{app}/connectors/{connector}", configure, configureC, takes(updateConnector)},
	{"DELETE /api/v1/apps/{app}/connectors/{connector}", configure, configureC, responds(removeConnector)},
	{"POST /api/v1/apps/{app}/connectors/{connector}/delegated", configure, configureC, takes(updateConnector)},
	{"POST /api/v1/apps/connectors/credentials", configure, configureC, takes(rotateCredential)},
	{"GET /api/v1/apps/{app}/connectors/{connector}/credentials", read, seeConn, responds(listCredentials)},
	{"GET /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}", read, seeConn, responds(getCredential)},
	{"POST /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}", configure, configureC, responds(revokeCredential)},

	// The console's own calls.
	{"GET /api/v1/openapi.json", anyScope, "everybody", responds(openAPI)},
	{"GET /api/v1/accounts", read, seeAccess, responds(listAccounts).with("app_id", "at", "filter", "type", "role", "search", "page_size", "page_token")},
	{"GET /api/v1/accounts/{account}", read, seeAccess, responds(getAccount).with("app_id", "at")},
	{"GET /api/v1/accounts/{account}/entitlements/{entitlement}", read, seeAccess, responds(explainAccess).with("app_id")},
	{"GET /api/v1/grants", read, seeAccess, responds(listOwnGrants).with("app_id", "account_id", "entitlement_id", "at", "page_size", "page_token")},
	{"GET /api/v1/changes", read, seeAccess, responds(listChanges).with("app_id", "from", "to", "show", "filter", "page_size", "page_token")},
	{"GET /api/v1/findings", read, seeFindings, responds(listFindings).with("app_id", "kind", "state", "page_size", "page_token")},
	{"GET /api/v1/findings/{finding}", read, seeFindings, responds(getFinding)},
	{"POST /api/v1/findings/{finding}/action/accept", configure, acceptFindings, takes(acceptFinding)},
	{"POST /api/v1/findings/{finding}/action/snooze", configure, acceptFindings, takes(snoozeFinding)},
	{"POST /api/v1/findings/{finding}/action/reopen", configure, acceptFindings, responds(reopenFinding)},
	{"GET /api/v1/apps/{app}/seats", read, seeAccess, responds(getSeats)},
	{"POST /api/v1/apps/{app}/seats", configure, configureA, takes(setSeats)},
	{"GET /api/v1/apps/{app}/several-roles", read, seeAccess, responds(listSeveralRoles)},
	{"POST /api/v1/apps/{app}/several-roles/action/leave-one", configure, changeAccess, takes(leaveOneRole)},
	{"GET /api/v1/connectors", read, seeConn, responds(listAllConnectors)},
	{"GET /api/v1/connectors/{connector}", read, seeConn, responds(getOwnConnector)},
	{"POST /api/v1/connectors/{connector}/action/sync", configure, configureC, responds(syncConnector)},
	{"POST /api/v1/connectors/{connector}/action/pause", configure, configureC, responds(pauseConnector)},
	{"POST /api/v1/connectors/{connector}/action/resume", configure, configureC, responds(resumeConnector)},
	{"POST /api/v1/connectors/{connector}/action/judge", decide, judge, takes(judgeSync)},
	{"GET /api/v1/configuration", readAll, seeSettings, responds(listConfiguration)},
	{"GET /api/v1/configuration/export", readAll, seeSettings, writes(exportConfiguration)},
	{"POST /api/v1/configuration/action/plan", configureAll, changeSettings, takes(planConfiguration)},
	{"POST /api/v1/configuration/action/apply", configureAll, changeSettings, takes(applyConfiguration)},
	{"POST /api/v1/policies/action/test", readAll, seePolicy, takes(testPolicy)},
	{"GET /api/v1/webhooks", readAll, seeSettings, responds(listWebhooks)},
	{"POST /api/v1/webhooks", configureAll, manageWebhooks, takes(createWebhook)},
	{"GET /api/v1/webhooks/{webhook}", readAll, seeSettings, responds(getWebhook)},
	{"POST /api/v1/webhooks/{webhook}", configureAll, manageWebhooks, takes(updateWebhook)},
	{"POST /api/v1/webhooks/{webhook}/action/test", configureAll, manageWebhooks, responds(testWebhook)},
	{"POST /api/v1/webhooks/{webhook}/action/pause", configureAll, manageWebhooks, responds(pauseWebhook)},
	{"POST /api/v1/webhooks/{webhook}/action/resume", configureAll, manageWebhooks, responds(resumeWebhook)},
	{"POST /api/v1/webhooks/{webhook}/action/rotate", configureAll, manageWebhooks, responds(rotateWebhook)},
	{"POST /api/v1/webhooks/{webhook}/action/replay", configureAll, manageWebhooks, takes(replayWebhook)},
	{"GET /api/v1/webhooks/{webhook}/deliveries", readAll, seeSettings, responds(listDeliveries).with("state", "page_size", "page_token")},
	{"POST /api/v1/webhooks/{webhook}/deliveries/{delivery}/action/replay", configureAll, manageWebhooks, responds(replayDelivery)},
	{"POST /api/v1/webhooks/{webhook}/action/delete", configureAll, manageWebhooks, responds(deleteWebhook)},
	{"GET /api/v1/hooks", readAll, seeSettings, responds(listHooks)},
	{"POST /api/v1/hooks", configureAll, manageWebhooks, takes(createHook)},
	{"GET /api/v1/hooks/{hook}", readAll, seeSettings, responds(getHook)},
	{"POST /api/v1/hooks/{hook}", configureAll, manageWebhooks, takes(updateHook)},
	{"POST /api/v1/hooks/{hook}/action/rotate", configureAll, manageWebhooks, responds(rotateHook)},
	{"POST /api/v1/hooks/{hook}/action/delete", configureAll, manageWebhooks, responds(deleteHook)},
	{"GET /api/v1/automations", readAll, seeAutomations, responds(listAutomations)},
	{"POST /api/v1/automations", configure, manageAutomations, takes(createAutomation)},
	{"POST /api/v1/automations/action/pause", configureAll, pausesAutomations, takes(pauseAutomations(true))},
	{"POST /api/v1/automations/action/resume", configureAll, pausesAutomations, takes(pauseAutomations(false))},
	{"GET /api/v1/automations/{automation}", read, seeAutomations, responds(getAutomation)},
	{"POST /api/v1/automations/{automation}", configure, manageAutomations, takes(updateAutomation)},
	{"POST /api/v1/automations/{automation}/action/publish", configure, manageAutomations, takes(publishAutomation)},
	{"POST /api/v1/automations/{automation}/action/pause", configure, pausesAutomations, takes(pauseAutomation)},
	{"POST /api/v1/automations/{automation}/action/resume", configure, manageAutomations, takes(resumeAutomation)},
	{"POST /api/v1/automations/{automation}/action/delete", configure, manageAutomations, responds(deleteAutomation)},
	{"POST /api/v1/automations/{automation}/action/test", configure, manageAutomations, takes(testAutomation)},
	{"POST /api/v1/automations/{automation}/action/run", configure, manageAutomations, takes(runAutomation)},
	{"POST /api/v1/automations/{automation}/action/request", ask, askFor, takes(requestAutomation)},
	{"GET /api/v1/automation_requests/{execution}", readTasks, seeTasks, responds(getAutomationRequest)},
	{"POST /api/v1/automation_requests/{execution}/action/decide", decide, decideAsked, takes(decideAutomation)},
	{"GET /api/v1/automations/{automation}/executions", read, seeAccess, responds(listExecutions).with("state", "page_size", "page_token")},
	{"GET /api/v1/automations/{automation}/executions/{execution}", read, seeAccess, responds(getExecution)},
	{"POST /api/v1/automations/{automation}/executions/{execution}/action/cancel", configure, pausesAutomations, takes(cancelExecution)},
	{"GET /api/v1/syncs", read, seeConn, responds(listSyncs).with("connector_id", "page_size", "page_token")},
	{"GET /api/v1/plans", readAll, seePlans, responds(listPlans).with("open", "page_size", "page_token")},
	{"POST /api/v1/plans", configure, removeAccess, takes(createPlan)},
	{"GET /api/v1/plans/{plan}", read, seePlans, responds(getPlan)},
	{"GET /api/v1/plans/{plan}/rows", read, seePlans, responds(listPlanRows).with("result", "app_id", "user_id", "page_size", "page_token")},
	{"GET /api/v1/plans/{plan}/lines", read, seePlans, writes(planLines)},
	{"POST /api/v1/plans/{plan}/action/apply", configure, removeAccess, takes(applyPlan)},
	{"POST /api/v1/plans/{plan}/action/compute", configure, removeAccess, responds(recomputePlan)},
	{"POST /api/v1/plans/{plan}/action/stop", configure, removeAccess, takes(stopPlan)},
	{"POST /api/v1/plans/{plan}/action/discard", configure, removeAccess, responds(discardPlan)},
	{"GET /api/v1/campaigns", readTasks, seeCampaigns, responds(listCampaigns).with("state", "mine", "page_size", "page_token")},
	{"POST /api/v1/campaigns", configureAll, addCampaigns, takes(createCampaign)},
	{"POST /api/v1/campaigns/action/preview", configureAll, addCampaigns, takes(previewCampaign)},
	{"GET /api/v1/campaigns/{campaign}", readTasks, seeCampaigns, responds(getCampaign)},
	{"POST /api/v1/campaigns/{campaign}", configureAll, runCampaigns, takes(updateCampaign)},
	{"POST /api/v1/campaigns/{campaign}/action/prepare", configureAll, runCampaigns, takes(prepareCampaign)},
	{"POST /api/v1/campaigns/{campaign}/action/reset", configureAll, runCampaigns, responds(resetCampaign)},
	{"POST /api/v1/campaigns/{campaign}/action/start", configureAll, runCampaigns, responds(startCampaign)},
	{"POST /api/v1/campaigns/{campaign}/action/close", configureAll, runCampaigns, responds(closeCampaign)},
	{"POST /api/v1/campaigns/{campaign}/action/cancel", configureAll, runCampaigns, takes(cancelCampaign)},
	{"POST /api/v1/campaigns/{campaign}/action/sample", configureAll, runCampaigns, takes(sampleCampaign)},
	{"GET /api/v1/campaigns/{campaign}/items", readTasks, seeCampaigns, responds(listReviewItems).with("mine", "pending", "submitted", "by_person", "app_id", "entitlement_id", "user_id", "app_user_id", "undecided", "admins", "gone", "unassigned", "sampled", "outcome", "result", "page_size", "page_token")},
	{"GET /api/v1/campaigns/{campaign}/items/{item}", readTasks, seeCampaigns, responds(getReviewItem)},
	{"GET /api/v1/campaigns/{campaign}/pack", readAll, seeCampaign, writes(campaignPack)},
	{"GET /api/v1/campaigns/{campaign}/submissions", readTasks, seeCampaigns, responds(listSubmissions).with("page_size", "page_token")},
	{"POST /api/v1/campaigns/{campaign}/action/decide", decide, decideAsked, takes(decideReview)},
	{"POST /api/v1/campaigns/{campaign}/action/bulk", decide, decideAsked, takes(bulkReview)},
	{"POST /api/v1/campaigns/{campaign}/action/withdraw", decide, decideAsked, takes(withdrawReview)},
	{"POST /api/v1/campaigns/{campaign}/action/submit", decide, decideAsked, responds(submitReview)},
	{"POST /api/v1/campaigns/{campaign}/action/reassign", decide, decideAsked, takes(reassignReview)},
	{"POST /api/v1/campaigns/{campaign}/action/escalate", decide, decideAsked, takes(escalateReview)},
	{"GET /api/v1/incompatible", readAll, seeIncompatible, responds(listIncompatible)},
	{"POST /api/v1/incompatible", configureAll, declareIncompatible, takes(createIncompatible)},
	{"POST /api/v1/incompatible/{pair}/action/end", configureAll, declareIncompatible, takes(endIncompatible)},
	{"GET /api/v1/requirements", readAll, seeAccess, responds(listRequirements)},
	{"POST /api/v1/requirements/action/set", configure, configureA, takes(setRequirement)},
	{"GET /api/v1/syncs/{sync}", read, seeConn, responds(getSync)},
	{"GET /api/v1/syncs/{sync}/file", read, downloadRaw, writes(downloadSync)},
	{"POST /api/v1/search/events", readAll, seeEvents, takes(searchEvents)},
	{"GET /api/v1/audit/report", readAll, readAudit, writes(auditReport).with("at", "from")},
	{"GET /api/v1/events", readAll, readAudit, writes(streamAudit).with("after", "wait")},
}
