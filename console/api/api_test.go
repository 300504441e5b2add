package api_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/api"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// want are the statuses of each call by person, in the order of people; the last one applies to the
// rest.
var want = map[string][]int{
	"GET /api/v1/auth/introspect": {200},
	"GET /api/v1/users/{user}":    {404, 404, 404, 200},
	"POST /api/v1/search/users":   {200},

	"GET /api/v1/apps":                  {200},
	"POST /api/v1/apps":                 {403, 403, 400, 403, 400},
	"POST /api/v1/search/apps":          {200},
	"GET /api/v1/apps/{app}":            {200}, // everybody may request something of it
	"POST /api/v1/apps/{app}":           {404, 200, 403, 403, 200},
	"DELETE /api/v1/apps/{app}":         {404, 400, 403, 403, 400}, // it has a connector
	"GET /api/v1/apps/{app}/ownerids":   {200},
	"GET /api/v1/apps/{app}/owners":     {200},
	"PUT /api/v1/apps/{app}/owners":     {404, 200, 403, 403, 200},
	"DELETE /api/v1/apps/{app}/owners":  {404, 400, 403, 403, 400}, // it has administrators: two people leave it without owners
	"GET /api/v1/apps/{app}/app_users":  {200, 200, 403, 200},
	"GET /api/v1/apps/{app}/connectors": {404, 200},

	"GET /api/v1/apps/{app}/users/{user}/app_users":                         {404, 404, 404, 200},
	"GET /api/v1/apps/{app}/app_users/{account}/credentials":                {501},
	"GET /api/v1/apps/{app}/entitlements":                                   {200},
	"GET /api/v1/apps/{app}/entitlements/{entitlement}":                     {200}, // everybody may request it
	"GET /api/v1/apps/{app}/entitlements/{entitlement}/users/{user}/grants": {404, 404, 404, 200},
	"POST /api/v1/search/entitlements":                                      {200},
	"POST /api/v1/apps/{app}/entitlements/{entitlement}":                    {404, 200, 403, 403, 200},
	"GET /api/v1/apps/{app}/entitlements/{entitlement}/ownerids":            {404, 200, 403, 403, 200},
	"PUT /api/v1/apps/{app}/entitlements/{entitlement}/owners":              {404, 200, 403, 403, 200},
	"DELETE /api/v1/apps/{app}/entitlements/{entitlement}/owners":           {404, 200, 403, 403, 200},
	"POST /api/v1/search/request_catalog/entitlements":                      {200},

	"POST /api/v1/task/grant":                                 {409, 200},
	"POST /api/v1/task/revoke":                                {200},
	"POST /api/v1/iam/personal_clients":                       {401},
	"POST /api/v1/apps/{app}/resource_types":                  {501},
	"POST /api/v1/apps/{app}/resource_types/{type}/resources": {501},
	"POST /api/v1/apps/{app}/entitlements":                    {501},
	"POST /api/v1/tasks/{task}/action/close":                  {200, 400, 404, 403, 400},
	"POST /api/v1/tasks/{task}/action/update-request-data":    {400, 403, 404, 403},
	"POST /api/v1/search/tasks":                               {200},
	"GET /api/v1/tasks/{task}":                                {200, 200, 404, 200},
	"POST /api/v1/tasks/{task}/action/approve":                {400, 200, 404, 400},
	"POST /api/v1/tasks/{task}/action/deny":                   {400, 400, 404, 400},
	"POST /api/v1/tasks/{task}/action/comment":                {200, 200, 404, 200},
	"POST /api/v1/tasks/{task}/action/escalate":               {400, 403, 404, 403},

	"POST /api/v1/apps/{app}/connectors":                                      {403, 403, 200, 403, 409},
	"POST /api/v1/apps/{app}/connectors/create":                               {400},
	"GET /api/v1/apps/{app}/connectors/{connector}":                           {404, 200},
	"POST /api/v1/apps/{app}/connectors/{connector}":                          {404, 200, 200, 403, 200},
	"DELETE /api/v1/apps/{app}/connectors/{connector}":                        {404, 400, 400, 403, 400}, // it shows access
	"POST /api/v1/apps/{app}/connectors/{connector}/delegated":                {404, 200, 200, 403, 200},
	"POST /api/v1/apps/connectors/credentials":                                {404, 200, 200, 403, 200},
	"GET /api/v1/apps/{app}/connectors/{connector}/credentials":               {404, 200},
	"GET /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}":  {404, 200},
	"POST /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}": {404, 200, 200, 403, 200},

	"POST /api/v1/policies":                                               {403, 403, 403, 403, 400},
	"GET /api/v1/policies/{policy}":                                       {403, 200, 403, 200},
	"POST /api/v1/policies/{policy}":                                      {403, 403, 403, 403, 400},
	"DELETE /api/v1/policies/{policy}":                                    {403, 403, 403, 403, 400}, // it is built in
	"POST /api/v1/search/policies":                                        {403, 200, 403, 200},
	"GET /api/v1/requirements":                                            {200},
	"POST /api/v1/requirements/action/set":                                {404, 200, 403, 403, 400}, // the owner has set it
	"GET /api/v1/openapi.json":                                            {200},
	"GET /api/v1/accounts":                                                {404, 200, 403, 200},
	"GET /api/v1/accounts/{account}":                                      {404, 200, 403, 200},
	"GET /api/v1/accounts/{account}/entitlements/{entitlement}":           {404, 200, 403, 200},
	"GET /api/v1/grants":                                                  {404, 200, 403, 200},
	"GET /api/v1/changes":                                                 {404, 200, 403, 200},
	"POST /api/v1/search/events":                                          {200},
	"GET /api/v1/plans":                                                   {200},
	"POST /api/v1/plans":                                                  {403, 200, 403, 403, 200},
	"GET /api/v1/plans/{plan}":                                            {404, 200, 404, 200},
	"GET /api/v1/plans/{plan}/rows":                                       {404, 200, 404, 200},
	"GET /api/v1/plans/{plan}/lines":                                      {404, 200, 404, 200},
	"POST /api/v1/plans/{plan}/action/apply":                              {404, 400, 404, 403, 400}, // another hash
	"POST /api/v1/plans/{plan}/action/compute":                            {404, 200, 404, 403, 400}, // the owner discards it
	"POST /api/v1/plans/{plan}/action/stop":                               {404, 400, 404, 403, 400},
	"POST /api/v1/plans/{plan}/action/discard":                            {404, 200, 404, 403, 400},
	"GET /api/v1/campaigns":                                               {200},
	"POST /api/v1/campaigns":                                              {403, 403, 403, 403, 200},
	"POST /api/v1/campaigns/action/preview":                               {403, 403, 403, 403, 200},
	"GET /api/v1/campaigns/{campaign}":                                    {404, 404, 404, 200},
	"POST /api/v1/campaigns/{campaign}":                                   {404, 404, 404, 403, 400}, // another version
	"POST /api/v1/campaigns/{campaign}/action/prepare":                    {404, 404, 404, 403, 400},
	"POST /api/v1/campaigns/{campaign}/action/reset":                      {404, 404, 404, 403, 400},
	"POST /api/v1/campaigns/{campaign}/action/start":                      {404, 404, 404, 403, 400}, // it is a draft
	"POST /api/v1/campaigns/{campaign}/action/close":                      {404, 404, 404, 403, 400},
	"POST /api/v1/campaigns/{campaign}/action/cancel":                     {404, 404, 404, 403, 200},
	"POST /api/v1/campaigns/{campaign}/action/sample":                     {404, 404, 404, 403, 400},
	"GET /api/v1/campaigns/{campaign}/items":                              {404, 404, 404, 200},
	"GET /api/v1/campaigns/{campaign}/items/{item}":                       {404},
	"GET /api/v1/campaigns/{campaign}/pack":                               {404, 404, 404, 400},
	"GET /api/v1/campaigns/{campaign}/submissions":                        {404, 404, 404, 200},
	"POST /api/v1/campaigns/{campaign}/action/decide":                     {404, 404, 404, 400}, // it is not running
	"POST /api/v1/campaigns/{campaign}/action/bulk":                       {404, 404, 404, 400},
	"POST /api/v1/campaigns/{campaign}/action/withdraw":                   {404, 404, 404, 400},
	"POST /api/v1/campaigns/{campaign}/action/submit":                     {404, 404, 404, 400},
	"POST /api/v1/campaigns/{campaign}/action/reassign":                   {404, 404, 404, 403, 400},
	"POST /api/v1/campaigns/{campaign}/action/escalate":                   {404, 404, 404, 400},
	"GET /api/v1/incompatible":                                            {403, 403, 403, 200},
	"POST /api/v1/incompatible":                                           {403, 403, 403, 403, 200},
	"POST /api/v1/incompatible/{pair}/action/end":                         {403, 403, 403, 403, 404},
	"GET /api/v1/findings":                                                {200},
	"GET /api/v1/findings/{finding}":                                      {404, 200, 404, 200},
	"POST /api/v1/findings/{finding}/action/accept":                       {404, 200, 404, 403, 200},
	"POST /api/v1/findings/{finding}/action/snooze":                       {404, 200, 404, 403, 200},
	"POST /api/v1/findings/{finding}/action/reopen":                       {404, 200, 404, 403, 200},
	"GET /api/v1/apps/{app}/seats":                                        {404, 200, 403, 200},
	"POST /api/v1/apps/{app}/seats":                                       {404, 200, 403, 403, 400}, // the owner has set them
	"GET /api/v1/apps/{app}/several-roles":                                {404, 200, 403, 200},
	"POST /api/v1/apps/{app}/several-roles/action/leave-one":              {404, 400, 403, 403, 400}, // nobody holds several
	"GET /api/v1/connectors":                                              {200},
	"GET /api/v1/connectors/{connector}":                                  {404, 200},
	"POST /api/v1/connectors/{connector}/action/sync":                     {404, 200, 200, 403, 200},
	"POST /api/v1/connectors/{connector}/action/pause":                    {404, 200, 200, 403, 200},
	"POST /api/v1/connectors/{connector}/action/resume":                   {404, 200, 200, 403, 200},
	"POST /api/v1/connectors/{connector}/action/judge":                    {404, 404, 404, 403, 404},
	"POST /api/v1/policies/action/test":                                   {403, 404, 403, 200}, // owner may not see the person
	"GET /api/v1/configuration":                                           {403, 403, 403, 200},
	"GET /api/v1/configuration/export":                                    {403, 403, 403, 200},
	"POST /api/v1/configuration/action/plan":                              {403, 403, 403, 403, 200},
	"POST /api/v1/configuration/action/apply":                             {403, 403, 403, 403, 200},
	"GET /api/v1/webhooks":                                                {403, 403, 403, 200},
	"POST /api/v1/webhooks":                                               {403, 403, 403, 403, 200},
	"GET /api/v1/webhooks/{webhook}":                                      {403, 403, 403, 200},
	"POST /api/v1/webhooks/{webhook}":                                     {403, 403, 403, 403, 200},
	"POST /api/v1/webhooks/{webhook}/action/test":                         {403, 403, 403, 403, 200},
	"POST /api/v1/webhooks/{webhook}/action/pause":                        {403, 403, 403, 403, 200},
	"POST /api/v1/webhooks/{webhook}/action/resume":                       {403, 403, 403, 403, 200},
	"POST /api/v1/webhooks/{webhook}/action/rotate":                       {403, 403, 403, 403, 200},
	"POST /api/v1/webhooks/{webhook}/action/replay":                       {403, 403, 403, 403, 200},
	"GET /api/v1/webhooks/{webhook}/deliveries":                           {403, 403, 403, 200},
	"POST /api/v1/webhooks/{webhook}/deliveries/{delivery}/action/replay": {403, 403, 403, 403, 404},
	"POST /api/v1/webhooks/{webhook}/action/delete":                       {403, 403, 403, 403, 200},
	"GET /api/v1/hooks":                                                   {403, 403, 403, 200},
	"POST /api/v1/hooks":                                                  {403, 403, 403, 403, 200},
	"GET /api/v1/hooks/{hook}":                                            {403, 403, 403, 200},
	"POST /api/v1/hooks/{hook}":                                           {403, 403, 403, 403, 200},
	"POST /api/v1/hooks/{hook}/action/rotate":                             {403, 403, 403, 403, 200},
	"POST /api/v1/hooks/{hook}/action/delete":                             {403, 403, 403, 403, 200},
	"GET /api/v1/syncs":                                                   {404, 200},
	"GET /api/v1/syncs/{sync}":                                            {404, 200},
	"GET /api/v1/syncs/{sync}/file":                                       {404, 200, 403, 200},
	"GET /api/v1/audit/report":                                            {403, 403, 403, 200},
	"GET /api/v1/events":                                                  {403, 403, 403, 200},

	"GET /api/v1/automations":                                                    {200},
	"POST /api/v1/automations":                                                   {404, 200, 403, 403, 200},
	"POST /api/v1/automations/action/pause":                                      {403, 403, 403, 403, 200},
	"POST /api/v1/automations/action/resume":                                     {403, 403, 403, 403, 200},
	"GET /api/v1/automations/{automation}":                                       {404, 200, 404, 200},
	"POST /api/v1/automations/{automation}":                                      {404, 200, 404, 403, 200},
	"POST /api/v1/automations/{automation}/action/publish":                       {404, 200, 404, 403, 200},
	"POST /api/v1/automations/{automation}/action/pause":                         {404, 200, 404, 403, 200},
	"POST /api/v1/automations/{automation}/action/resume":                        {404, 200, 404, 403, 200},
	"POST /api/v1/automations/{automation}/action/delete":                        {404, 200, 404, 404, 404},
	"POST /api/v1/automations/{automation}/action/test":                          {404, 200, 404, 403, 200},
	"POST /api/v1/automations/{automation}/action/run":                           {404, 200, 404, 403, 200},
	"POST /api/v1/automations/{automation}/action/request":                       {404}, // it runs on demand
	"GET /api/v1/automation_requests/{execution}":                                {404}, // nobody requested it
	"POST /api/v1/automation_requests/{execution}/action/decide":                 {404},
	"GET /api/v1/automations/{automation}/executions":                            {404, 200, 404, 200},
	"GET /api/v1/automations/{automation}/executions/{execution}":                {404, 200, 404, 200},
	"POST /api/v1/automations/{automation}/executions/{execution}/action/cancel": {404, 200, 404, 403, 400},
}

// bodies are the requests of calls that need a body.
func (f *fixture) bodies() map[string]string {
	return map[string]string{
		"POST /api/v1/apps/{app}/connectors/{connector}":           `{"connector":{"displayName":"perplexity"}}`,
		"POST /api/v1/apps/{app}/connectors/{connector}/delegated": `{"connector":{"displayName":"perplexity"}}`,
		"POST /api/v1/apps/{app}":                                  `{"app":{"displayName":"Perplexity"}}`,
		"POST /api/v1/apps/{app}/entitlements/{entitlement}":       `{"entitlement":{"alias":"member"},"updateMask":"alias"}`,
		"PUT /api/v1/apps/{app}/entitlements/{entitlement}/owners": fmt.Sprintf(`{"userIds":[%q]}`, f.people["owner"]),
		"PUT /api/v1/apps/{app}/owners":                            fmt.Sprintf(`{"userIds":[%q]}`, f.people["owner"]),
		"POST /api/v1/apps/{app}/connectors":                       `{"displayName":"second"}`,
		"POST /api/v1/apps/connectors/credentials":                 fmt.Sprintf(`{"appId":%q,"connectorId":%q}`, f.app, f.connector),
		"POST /api/v1/policies":                                    `{"displayName":"X","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"approval":{"users":{}}}]}}}`,
		"POST /api/v1/policies/{policy}":                           `{"policy":{"displayName":""},"updateMask":"displayName"}`,
		"POST /api/v1/task/grant":                                  fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"x"}`, f.app, f.group),
		"POST /api/v1/task/revoke":                                 fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d"}`, f.app, f.group),
		"POST /api/v1/tasks/{task}/action/approve":                 fmt.Sprintf(`{"comment":"","policyStepId":%q}`, f.step),
		"POST /api/v1/tasks/{task}/action/deny":                    fmt.Sprintf(`{"comment":"","policyStepId":%q}`, f.step),
		"POST /api/v1/tasks/{task}/action/comment":                 `{"comment":"hello"}`,
		"POST /api/v1/search/events":                               `{"kind":"app","pageSize":10}`,
		"POST /api/v1/policies/action/test":                        f.policyQuestion(),
		"POST /api/v1/findings/{finding}/action/accept":            fmt.Sprintf(`{"until":%q,"reason":"x"}`, f.now.Add(time.Hour).Format(time.RFC3339)),
		"POST /api/v1/findings/{finding}/action/snooze":            fmt.Sprintf(`{"until":%q}`, f.now.Add(time.Hour).Format(time.RFC3339)),
		"POST /api/v1/apps/{app}/seats":                            `{"purchased":64,"renewal":"2027-01-31","version":"0"}`,
		"POST /api/v1/apps/{app}/several-roles/action/leave-one":   `{"accountId":"1","keep":"lowest","why":"x"}`,
		"POST /api/v1/requirements/action/set":                     fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","needs":[%q]}`, f.app, f.group, string(f.app)+"/"+ingesttest.Member("members")),
		"POST /api/v1/plans":                                       fmt.Sprintf(`{"reason":"x","rows":[{"appId":%q,"accountId":"%d","appEntitlementId":"0"}]}`, f.app, f.account),
		"POST /api/v1/plans/{plan}/action/apply":                   fmt.Sprintf(`{"hash":"%064d"}`, 0),
		"POST /api/v1/plans/{plan}/action/stop":                    `{"reason":"x"}`,
		"POST /api/v1/campaigns":                                   `{"settings":{"displayName":"X","reviewers":["app-owner"]}}`,
		"POST /api/v1/campaigns/action/preview":                    `{"settings":{"displayName":"X","reviewers":["app-owner"]}}`,
		"POST /api/v1/campaigns/{campaign}":                        `{"settings":{"displayName":"X","reviewers":["app-owner"]},"version":"7"}`,
		"POST /api/v1/campaigns/{campaign}/action/cancel":          `{"reason":"x"}`,
		"POST /api/v1/campaigns/{campaign}/action/sample":          fmt.Sprintf(`{"percent":10,"userId":%q}`, f.people["owner"]),
		"POST /api/v1/campaigns/{campaign}/action/reassign":        fmt.Sprintf(`{"numbers":[1],"toUserId":%q,"reason":"x"}`, f.people["owner"]),
		"POST /api/v1/campaigns/{campaign}/action/escalate":        `{"numbers":[1],"reason":"x"}`,
		"POST /api/v1/incompatible":                                fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","otherAppId":%q,"otherAppEntitlementId":"%d","reason":"x"}`, f.app, f.group, f.app, f.member),
		"POST /api/v1/incompatible/{pair}/action/end":              `{"reason":"x"}`,
		"POST /api/v1/configuration/action/plan":                   `{"files":[{"name":"a.yaml","text":"retention: {task_days: 90}"}]}`,
		"POST /api/v1/configuration/action/apply":                  `{"files":[{"name":"a.yaml","text":"retention: {task_days: 90}"}]}`,
		"POST /api/v1/webhooks":                                    `{"url":"https://example.com/x","events":["*"]}`,
		"POST /api/v1/webhooks/{webhook}":                          `{"webhook":{"description":"x"}}`,
		"POST /api/v1/webhooks/{webhook}/action/replay":            `{"since":"2026-11-29T12:00:00Z"}`,
		"POST /api/v1/hooks":                                       `{"name":"x"}`,
		"POST /api/v1/hooks/{hook}":                                `{"hook":{"name":"x"}}`,
		"POST /api/v1/connectors/{connector}/action/judge":         `{"syncId":"x","decision":"discard","reason":"x"}`,

		"POST /api/v1/automations":                                                   fmt.Sprintf(`{"appId":%q,"displayName":"Leaver","template":"leaver"}`, f.app),
		"POST /api/v1/automations/action/pause":                                      `{"reason":"x"}`,
		"POST /api/v1/automations/action/resume":                                     `{"reason":"x"}`,
		"POST /api/v1/automations/{automation}":                                      `{"displayName":"Other"}`,
		"POST /api/v1/automations/{automation}/action/publish":                       `{"version":""}`,
		"POST /api/v1/automations/{automation}/action/request":                       `{"target":{"reason":"x"}}`,
		"POST /api/v1/automation_requests/{execution}/action/decide":                 `{"decision":"approve","comment":"x"}`,
		"POST /api/v1/automations/{automation}/action/pause":                         `{"reason":"x"}`,
		"POST /api/v1/automations/{automation}/action/resume":                        `{"runHeld":true,"reason":"x"}`,
		"POST /api/v1/automations/{automation}/action/test":                          `{"target":{"whom":"user@example.com"}}`,
		"POST /api/v1/automations/{automation}/action/run":                           `{"target":{"whom":"user@example.com","reason":"x"}}`,
		"POST /api/v1/automations/{automation}/executions/{execution}/action/cancel": `{"reason":"x"}`,
	}
}

// path fills in a route's path.
func (f *fixture) path(pattern string) string {
	path := strings.NewReplacer("{campaign}", string(f.campaign), "{item}", "1", "{pair}", "x", "{webhook}", string(f.webhook), "{hook}", string(f.hook), "{delivery}", "x", "{app}", string(f.app), "{connector}", string(f.connector), "{user}", string(f.people["auditor"]), "{account}", fmt.Sprint(f.account),
		"{entitlement}", fmt.Sprint(f.member), "{credential}", api.CredentialID(f.clientID), "{policy}", "standard", "{sync}", string(f.sync.ID), "{task}", fmt.Sprint(f.task), "{finding}", string(f.finding), "{plan}", string(f.plan), "{automation}", string(f.automation), "{execution}", string(f.execution)).Replace(pattern)
	switch {
	case strings.HasSuffix(pattern, "/automations/{automation}/action/delete"):
		path = "/api/v1/automations/" + string(f.spareAutomation) + "/action/delete"
	case strings.HasSuffix(pattern, "/webhooks/{webhook}/action/delete"):
		path = "/api/v1/webhooks/" + string(f.spareWebhook) + "/action/delete"
	case strings.HasSuffix(pattern, "/hooks/{hook}/action/delete"):
		path = "/api/v1/hooks/" + string(f.spareHook) + "/action/delete"
	case strings.HasSuffix(pattern, "/tasks/{task}/action/close"):
		path = fmt.Sprintf("/api/v1/tasks/%d/action/close", f.closing)
	case strings.HasSuffix(pattern, "v1/grants"):
		path += fmt.Sprintf("?app_id=%s&account_id=%d", f.app, f.account)
	case strings.HasSuffix(pattern, "v1/changes"):
		path += "?from=2026-11-01T00:00:00Z&app_id=" + string(f.app)
	case strings.Contains(pattern, "v1/accounts"):
		path += "?app_id=" + string(f.app)
	case strings.HasSuffix(pattern, "v1/syncs"):
		path += "?connector_id=" + string(f.connector)
	}
	return path
}

// TestWhoMay makes every call as everybody, and without a token.
func TestWhoMay(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.askForMember()
	f.review()
	bodies := f.bodies()
	for i, p := range people {
		for _, r := range api.Routes() {
			method, pattern, _ := strings.Cut(r, " ")
			statuses := want[r]
			if statuses == nil {
				t.Errorf("%s has no row in this test", r)
				continue
			}
			a := f.call(f.as(p.name), method, f.path(pattern), bodies[r])
			if method == "DELETE" && strings.HasSuffix(pattern, "/owners") { // unchanged
				f.ok(f.as("super"), "PUT", f.path(pattern), bodies["PUT /api/v1/apps/{app}/owners"])
			}
			if want := statuses[min(i, len(statuses)-1)]; a.status != want {
				t.Errorf("%s as %s: %d %s, want %d", r, p.name, a.status, a.body, want)
			}
			if a.status == 403 && !strings.Contains(pattern, "/action/") && !strings.Contains(a.body, "Super Administrator") {
				t.Errorf("%s as %s does not name the role that may: %s", r, p.name, a.body)
			}
		}
	}
	for _, r := range api.Routes() {
		method, pattern, _ := strings.Cut(r, " ")
		f.fails(r+" without a token", "", method, f.path(pattern), "", 401, 16, "bearer token")
		f.fails(r+" with a wrong token", "wrong", method, f.path(pattern), "", 401, 16)
	}
}

// TestScopes makes every call with a super administrator's credential of each scope, and compares
// the result with the route table.
func TestScopes(t *testing.T) {
	scopes := map[string]console.Scope{"read": console.ScopeRead, "ask": console.ScopeAsk, "configure": console.ScopeConfigure, "configure:APP": "", "decide": console.ScopeDecide}
	// These lists, and new apps, do not belong to one app.
	everywhere := map[string]bool{"GET /api/v1/apps": true, "POST /api/v1/apps": true, "POST /api/v1/search/apps": true, "POST /api/v1/search/users": true, "GET /api/v1/connectors": true,
		"GET /api/v1/users/{user}": true, "GET /api/v1/events": true, "GET /api/v1/findings": true, "POST /api/v1/search/entitlements": true, "POST /api/v1/search/request_catalog/entitlements": true}
	notAsk := map[string]bool{"GET /api/v1/users/{user}": true} // of others
	for name, scope := range scopes {
		f := newFixture(t) // what one credential removes is there for the next
		f.ask()
		f.askForMember()
		f.review()
		if scope == "" {
			scope = console.ScopeConfigureApp(f.app)
		}
		token, bodies := f.token(f.issue("super", scope)), f.bodies()
		for _, r := range api.Routes() {
			method, pattern, _ := strings.Cut(r, " ")
			if strings.HasSuffix(pattern, "/personal_clients") {
				continue // does not accept tokens of credentials; see TestDeviceLogin
			}
			a := f.call(token, method, f.path(pattern), bodies[r])
			lacks := a.status == 403 && (strings.Contains(a.body, "This credential may not") || strings.Contains(a.body, "Credentials may not"))
			listed := api.Scopes(r)
			has := listed == "any"
			for word := range strings.FieldsSeq(strings.NewReplacer(",", "", " or ", " ").Replace(listed)) {
				has = has || word == name
			}
			if name == "configure:APP" && everywhere[r] || name == "ask" && notAsk[r] {
				has = false
			}
			if pattern == "/api/v1/apps/{app}/connectors/create" && !has {
				continue // its settings are checked first
			}
			if lacks == has {
				t.Errorf("%s with the scope %s: %d %s; the table says %q", r, name, a.status, a.body, listed)
			}
		}
	}
}

// TestConventions checks the conventions of all calls.
func TestConventions(t *testing.T) {
	f := newFixture(t)
	super := f.as("super")
	f.fails("an unknown call", super, "GET", "/api/v1/catalogs", "", 501, 12, "has no call GET /api/v1/catalogs")
	f.fails("an unknown removal", super, "DELETE", "/api/v1/vaults/x", "", 501, 12)
	f.fails("no app", super, "GET", "/api/v1/apps/nothing", "", 404, 5)
	f.fails("no JSON", super, "POST", "/api/v1/apps", "{", 400, 3, "cannot be read")
	f.fails("a list", super, "POST", "/api/v1/apps", "[]", 400, 3)
	f.fails("two objects", super, "POST", "/api/v1/apps", "{}{}", 400, 3)
	f.fails("a number for a text", super, "POST", "/api/v1/apps", `{"displayName":5}`, 400, 3)
	f.fails("a field twice", super, "POST", "/api/v1/apps", `{"displayName":"A","display_name":"B"}`, 400, 3, "twice")
	f.fails("a large body", super, "POST", "/api/v1/apps", `{"displayName":"`+strings.Repeat("x", 1<<20)+`"}`, 400, 3, "larger")
	f.fails("a long name", super, "POST", "/api/v1/apps", `{"displayName":"`+strings.Repeat("x", 201)+`"}`, 400, 3)
	f.fails("a taken name", super, "POST", "/api/v1/apps", `{"displayName":"Perplexity"}`, 409, 6)
	f.fails("an unknown field of a mask", super, "POST", "/api/v1/apps/"+string(f.app), `{"app":{"displayName":"x"},"updateMask":"displayName,id"}`, 400, 3, `"id"`)
	f.fails("a damaged page token", super, "GET", "/api/v1/apps?page_token=%21", "", 400, 3)
	f.fails("a status as text", super, "POST", "/api/v1/search/users", `{"userStatuses":["HAPPY"]}`, 400, 3)

	// Both spellings, unknown fields, null for absent fields, and read-only fields.
	made := f.ok(super, "POST", "/api/v1/apps", `{"display_name":"Git","owners":null,"certifyPolicyId":"","unknown":{"a_b":1},"id":"mine"}`)
	id := fmt.Sprint(at(made, "app.id"))
	if at(made, "app.displayName") != "Git" || len(id) != 27 || at(made, "app.isManuallyManaged") != true || at(made, "app.userCount") != "0" {
		t.Errorf("the new app: %v", made)
	}
	if o := at(made, "app.appOwners.0.id"); o != string(f.people["super"]) {
		t.Errorf("its owner is %v", o)
	}
	// Without a mask, only the fields that are present change.
	changed := f.ok(super, "POST", "/api/v1/apps/"+id, `{"app":{"display_name":"Gitea","id":"x","monthlyCostUsd":0}}`)
	if at(changed, "app.displayName") != "Gitea" || at(changed, "app.id") != id {
		t.Errorf("changed: %v", changed)
	}
	if same := f.ok(super, "POST", "/api/v1/apps/"+id, `{"app":{}}`); at(same, "app.displayName") != "Gitea" {
		t.Errorf("changed by an empty update: %v", same)
	}
	f.fails("a mask with nothing in the object", super, "POST", "/api/v1/apps/"+id, `{"app":{},"updateMask":"display_name"}`, 400, 3, "name is missing")

	// The events name the credential.
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.EventsBefore(store.EventFilter{Object: id}, 0, 1)
		if len(events) != 1 || events[0].Client == "" || events[0].Actor.Person() != f.people["super"] || events[0].Request == "" {
			t.Errorf("the event of the change: %+v", events)
		}
		return err
	}))
}

// TestPages reads lists to their end: every row comes once.
func TestPages(t *testing.T) {
	f := newFixture(t)
	super := f.as("super")
	f.update(func(tx *store.Tx) error {
		for i := range 33 {
			if _, err := tx.AddApp(console.App{Name: fmt.Sprintf("App %02d", i)}); err != nil {
				return err
			}
			if _, err := tx.AddPerson(console.Person{Name: fmt.Sprintf("Person %02d", i), Emails: []string{fmt.Sprintf("p%d@example.com", i)}}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, tt := range []struct {
		method, path, body, id string
		rows                   int
	}{
		{"GET", "/api/v1/apps?page_size=10", "", "id", 34},
		{"POST", "/api/v1/search/apps", `{"query":"app","pageSize":10`, "id", 33},
		{"POST", "/api/v1/search/users", `{"query":"person","pageSize":"10"`, "user.id", 33},
		{"GET", "/api/v1/apps/" + string(f.app) + "/app_users?page_size=1", "", "appUser.id", 32},
		{"GET", "/api/v1/apps/" + string(f.app) + "/entitlements?page_size=10", "", "appEntitlement.id", 32},
		{"POST", "/api/v1/search/request_catalog/entitlements", `{"pageSize":10,"grantedStatus":"ALL"`, "entitlement.appEntitlement.id", 32},
		{"POST", "/api/v1/search/entitlements", `{"page_size":10,"query":"group"`, "appEntitlement.id", 30},
		{"GET", "/api/v1/accounts?app_id=" + string(f.app) + "&page_size=10", "", "id", 32},
	} {
		seen, next, pages := map[any]bool{}, "", 0
		for {
			path, body := tt.path, ""
			if tt.method == "GET" {
				path += map[bool]string{true: "?", false: "&"}[!strings.Contains(path, "?")] + "page_token=" + url.QueryEscape(next)
			} else {
				body = tt.body + fmt.Sprintf(`,"pageToken":%q}`, next)
			}
			v := f.ok(super, tt.method, path, body)
			rows, _ := v["list"].([]any)
			if len(rows) > 10 {
				t.Errorf("%s: a page has %d rows", tt.path, len(rows))
			}
			for _, row := range rows {
				if id := at(row, tt.id); id == nil || seen[id] {
					t.Errorf("%s: row %v comes twice, or has no %s", tt.path, id, tt.id)
				} else {
					seen[id] = true
				}
			}
			if next = fmt.Sprint(v["nextPageToken"]); next == "" || pages > 10 {
				break
			}
			pages++
		}
		if len(seen) != tt.rows || pages < 2 {
			t.Errorf("%s: %d rows on %d pages, want %d", tt.path, len(seen), pages+1, tt.rows)
		}
	}
	first := f.ok(super, "GET", "/api/v1/apps?page_size=10", "")
	f.fails("the token of another list", super, "GET", "/api/v1/accounts?app_id="+string(f.app)+"&page_token="+fmt.Sprint(first["nextPageToken"]), "", 400, 3, "another list")
	if v := f.ok(super, "GET", "/api/v1/apps?page_size=1000", ""); len(v["list"].([]any)) != 34 {
		t.Errorf("the largest page has %d rows", len(v["list"].([]any)))
	}
}

// TestAccess follows a person with access and without a role, whose credential has the scope ask.
func TestAccess(t *testing.T) {
	f := newFixture(t)
	token := f.token(f.issue("user", console.ScopeAsk))
	who := f.ok(token, "GET", "/api/v1/auth/introspect", "")
	me := fmt.Sprint(who["userId"])
	if me != string(f.people["user"]) || len(who["roles"].([]any)) != 0 || at(who, "permissions.0") != "ask" {
		t.Errorf("introspect: %v", who)
	}
	if u := f.ok(token, "GET", "/api/v1/users/"+me, ""); at(u, "userView.user.email") != "user@example.com" || at(u, "userView.user.status") != "ENABLED" || at(u, "userView.user.department") != "Ops" {
		t.Errorf("whoami: %v", u)
	}
	found := f.ok(token, "POST", "/api/v1/search/request_catalog/entitlements", `{"expandMask":{"paths":["app_id","app_resource_type_id","app_resource_id"]},"grantedStatus":"ALL","includeDeleted":false,"pageSize":100}`)
	if n := len(found["list"].([]any)); n != 1 {
		t.Fatalf("somebody with one entitlement sees %d: %v", n, found)
	}
	ent := at(found, "list.0.entitlement")
	if at(ent, "appEntitlement.id") != fmt.Sprint(f.member) || at(ent, "appPath") != "$.expanded[0]" || at(ent, "appResourceTypePath") != "$.expanded[1]" || at(ent, "appResourcePath") != "$.expanded[2]" {
		t.Errorf("what it holds: %v", ent)
	}
	for i, typ := range []string{"App", "AppResourceType", "AppResource"} {
		if got := at(found, fmt.Sprintf("expanded.%d.@type", i)); got != "type.googleapis.com/c1.api.app.v1."+typ {
			t.Errorf("expanded %d is a %v", i, got)
		}
	}
	if b := at(found, "list.0.appEntitlementUserBindings.0"); at(b, "appUserId") != fmt.Sprint(f.account) || at(b, "deletedAt") != nil || at(b, "createdAt") != "2026-11-29T12:00:00Z" {
		t.Errorf("binding: %v", b)
	}
	if v := f.ok(token, "POST", "/api/v1/search/request_catalog/entitlements", `{"grantedStatus":"NOT_GRANTED"}`); len(v["list"].([]any)) != 0 || v["expanded"] == nil {
		t.Errorf("what it does not hold: %v", v)
	}
	base := "/api/v1/apps/" + string(f.app)
	a := f.ok(token, "GET", base, "")
	if at(a, "app.displayName") != "Perplexity" || at(a, "app.userCount") != "0" || len(at(a, "app.appOwners").([]any)) != 0 {
		t.Errorf("somebody with an account sees more of the app than its name: %v", a)
	}
	e := f.ok(token, "GET", base+"/entitlements/"+fmt.Sprint(f.member), "")
	if at(e, "appEntitlementView.appEntitlement.grantCount") != "0" || at(e, "appEntitlementView.appEntitlement.durationUnset") == nil {
		t.Errorf("the entitlement that it holds: %v", e)
	}
	f.fails("an entitlement that it does not hold", token, "GET", base+"/entitlements/"+fmt.Sprint(f.admin), "", 404, 5)
	if g := f.ok(token, "GET", base+"/entitlements/"+fmt.Sprint(f.member)+"/users/"+me+"/grants", ""); len(g["bindings"].([]any)) != 1 {
		t.Errorf("grants: %v", g)
	}
	if g := f.ok(token, "GET", base+"/users/"+me+"/app_users", ""); at(g, "list.0.appUser.id") != fmt.Sprint(f.account) || at(g, "list.0.appUser.identityUserId") != me {
		t.Errorf("own accounts: %v", g)
	}
	f.fails("the accounts of others", token, "GET", base+"/users/"+string(f.people["super"])+"/app_users", "", 404, 5)

	// The owner sees the other holders.
	owner := f.as("owner")
	e = f.ok(owner, "GET", base+"/entitlements/"+fmt.Sprint(f.member), "")
	if at(e, "appEntitlementView.appEntitlement.grantCount") != "2" || at(e, "appEntitlementView.appEntitlement.sourceConnectorIds."+string(f.connector)) != ingesttest.Member("members") {
		t.Errorf("the owner sees: %v", e)
	}
	if v := f.ok(owner, "GET", "/api/v1/apps", ""); at(v, "list.0.userCount") != "32" {
		t.Errorf("the owner's apps: %v", v)
	}
}

// TestConnectors makes the calls of official clients: an app, a connector, its credential.
func TestConnectors(t *testing.T) {
	f := newFixture(t)
	token := f.token(f.issue("super", console.ScopeConfigure))
	a := f.ok(token, "POST", "/api/v1/apps", fmt.Sprintf(`{"displayName":"Git","owners":[%q]}`, f.people["owner"]))
	app := fmt.Sprint(at(a, "app.id"))
	con := f.ok(token, "POST", "/api/v1/apps/"+app+"/connectors", fmt.Sprintf(`{"catalogId":"2JcKYLLbTbhRCZ9wRyLB7Mjgr9Z","displayName":"git","userIds":[%q],"expandMask":{"paths":["*"]}}`, f.people["owner"]))
	id := fmt.Sprint(at(con, "connectorView.connector.id"))
	if at(con, "connectorView.connector.appId") != app || at(con, "connectorView.connector.displayName") != "git" || at(con, "connectorView.connector.userIds.0") != string(f.people["owner"]) ||
		at(con, "connectorView.connector.status.status") != "SYNC_STATUS_UNSPECIFIED" || at(con, "connectorView.connector.catalogId") != "baton" {
		t.Errorf("the new connector: %v", con)
	}
	f.fails("of another app", token, "GET", "/api/v1/apps/"+string(f.app)+"/connectors/"+id, "", 404, 5)
	body := fmt.Sprintf(`{"appId":%q,"connectorId":%q}`, app, id)
	f.fails("a credential of a connector of another app", token, "POST", "/api/v1/apps/connectors/credentials", fmt.Sprintf(`{"appId":%q,"connectorId":%q}`, f.app, id), 404, 5)
	made := f.ok(token, "POST", "/api/v1/apps/connectors/credentials", body)
	clientID, secret := fmt.Sprint(at(made, "credential.clientId")), fmt.Sprint(at(made, "credential.clientSecret"))
	if !strings.HasPrefix(clientID, "git-") || !strings.HasSuffix(clientID, "@console.example.com/baton") || !strings.HasPrefix(secret, "secret-token:console.example.com:v1:") || at(made, "credential.expiresTime") != nil {
		t.Errorf("the credential: %v", made)
	}
	f.now = f.now.Add(time.Minute)
	second := f.ok(token, "POST", "/api/v1/apps/connectors/credentials", body)
	base := "/api/v1/apps/" + app + "/connectors/" + id
	first := f.ok(token, "GET", base+"/credentials/"+fmt.Sprint(at(made, "credential.id")), "")
	if at(first, "credential.clientSecret") != "" || at(first, "credential.clientId") != clientID || at(first, "credential.expiresTime") != "2026-11-30T12:01:00Z" {
		t.Errorf("the first credential after a rotation: %v", first)
	}
	revoke := base + "/credentials/" + fmt.Sprint(at(second, "credential.id"))
	if v := f.ok(token, "POST", revoke, "{}"); len(v) != 0 {
		t.Errorf("revoke: %v", v)
	}
	if v := f.ok(token, "GET", revoke, ""); at(v, "credential.deletedAt") == nil {
		t.Errorf("a revoked credential: %v", v)
	}
	if v := f.ok(token, "GET", base+"/credentials", ""); len(v["list"].([]any)) != 2 {
		t.Errorf("credentials: %v", v)
	}
	v := f.ok(token, "POST", base, `{"connector":{"displayName":"git two","userIds":[]},"updateMask":"displayName"}`)
	if at(v, "connectorView.connector.displayName") != "git two" || at(v, "connectorView.connector.userIds.0") != string(f.people["owner"]) {
		t.Errorf("an update by a mask: %v", v)
	}
	if v := f.ok(token, "GET", "/api/v1/apps/"+app+"/connectors", ""); len(v["list"].([]any)) != 1 {
		t.Errorf("connectors: %v", v)
	}

	// A credential for one app does not reach others.
	one := f.token(f.issue("super", console.ScopeConfigureApp(console.ID(app))))
	f.ok(one, "GET", base, "")
	f.ok(one, "POST", "/api/v1/connectors/"+id+"/action/pause", "")
	f.fails("another app", one, "POST", "/api/v1/connectors/"+string(f.connector)+"/action/pause", "", 403, 7, "It needs the scope configure")
	f.fails("another app's accounts", one, "GET", "/api/v1/accounts?app_id="+string(f.app), "", 403, 7)
}

// TestActions starts a sync, pauses and resumes a connector, and judges a held sync.
func TestActions(t *testing.T) {
	f := newFixture(t)
	token := f.token(f.issue("owner", console.ScopeConfigure))
	act := "/api/v1/connectors/" + string(f.connector) + "/action/"
	if v := f.ok(token, "POST", act+"pause", ""); at(v, "connector.paused") != true || at(v, "connector.state") != "Paused" || at(v, "connector.status.status") != "SYNC_STATUS_DISABLED" || at(v, "connector.interval") != "3600s" {
		t.Errorf("paused: %v", v)
	}
	f.fails("a sync of a paused connector", token, "POST", act+"sync", "", 400, 9, "is paused")
	if v := f.ok(token, "POST", act+"resume", ""); at(v, "connector.paused") != false {
		t.Errorf("resumed: %v", v)
	}
	f.ok(token, "POST", act+"sync", "")
	f.now = f.now.Add(time.Hour)
	held := ingesttest.Tenant{Groups: []ingesttest.Group{{ID: "members", Name: "Members"}}}.Receive(t, f.store, f.connector, f.now)
	if held.State != console.SyncHeld {
		t.Fatalf("an empty sync is %s", held.State)
	}
	body := fmt.Sprintf(`{"syncId":%q,"decision":"discard","reason":"not real"}`, held.ID)
	token = f.token(f.issue("owner", console.ScopeConfigure)) // the first has expired
	f.fails("without the scope", token, "POST", act+"judge", body, 403, 7, "decide")
	decide := f.token(f.issue("owner", console.ScopeDecide))
	f.fails("no reason", decide, "POST", act+"judge", fmt.Sprintf(`{"syncId":%q,"decision":"discard"}`, held.ID), 400, 3, "reason")
	f.fails("no decision", decide, "POST", act+"judge", fmt.Sprintf(`{"syncId":%q,"reason":"x"}`, held.ID), 400, 3, "apply or discard")
	if v := f.ok(decide, "POST", act+"judge", body); len(v) != 0 {
		t.Errorf("judged: %v", v)
	}
	v := f.ok(token, "GET", "/api/v1/syncs/"+string(held.ID), "")
	if at(v, "sync.state") != "discarded" || at(v, "sync.why") != "not real" || at(v, "sync.counts.accounts") == nil || len(at(v, "sync.holds").([]any)) == 0 {
		t.Errorf("the sync: %v", v)
	}
	if v := f.ok(token, "GET", "/api/v1/syncs?connector_id="+string(f.connector), ""); len(v["list"].([]any)) != 2 {
		t.Errorf("syncs: %v", v)
	}
}

// TestDownload compares the file of a sync with the received one.
func TestDownload(t *testing.T) {
	f := newFixture(t)
	a := f.call(f.as("auditor"), "GET", "/api/v1/syncs/"+string(f.sync.ID)+"/file", "")
	if a.status != 200 || !bytes.Equal([]byte(a.body), f.file) || a.header.Get("Content-Length") != fmt.Sprint(len(f.file)) || !strings.Contains(a.header.Get("Content-Disposition"), ".c1z") {
		t.Errorf("%d bytes of %d, %v", len(a.body), len(f.file), a.header)
	}
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.EventsBefore(store.EventFilter{Object: string(f.sync.ID)}, 0, 1)
		if len(events) != 1 || events[0].Kind != "sync.downloaded" || events[0].Actor.Person() != f.people["auditor"] || events[0].Client == "" {
			t.Errorf("the event: %+v", events)
		}
		return err
	}))
}

// TestEnds checks that the tokens of a credential end with it.
func TestEnds(t *testing.T) {
	f := newFixture(t)
	m := f.issue("auditor", console.ScopeRead)
	token := f.token(m)
	f.ok(token, "GET", "/api/v1/apps", "")
	f.update(func(tx *store.Tx) error { return tx.RevokeClient(m.ID) })
	f.fails("a revoked credential", token, "GET", "/api/v1/apps", "", 401, 16)
	token = f.as("auditor")
	f.update(func(tx *store.Tx) error {
		p, err := tx.Person(f.people["auditor"])
		p.Status = console.PersonDisabled
		if err == nil {
			err = tx.ChangePerson(p)
		}
		return err
	})
	f.fails("of a disabled person", token, "GET", "/api/v1/apps", "", 401, 16)
	token = f.as("super")
	f.now = f.now.Add(11 * time.Minute)
	f.fails("a token of eleven minutes ago", token, "GET", "/api/v1/apps", "", 401, 16)
}

func (f *fixture) policyQuestion() string {
	return fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","subject":"user@example.com"}`, f.app, f.member)
}

// TestPolicyTest tests a policy through the interface.
func TestPolicyTest(t *testing.T) {
	f := newFixture(t)
	super, body := f.as("super"), f.policyQuestion()
	v := f.ok(super, "POST", "/api/v1/policies/action/test", body)
	if at(v, "policyId") != "standard" || at(v, "outcome") != "ask" || at(v, "steps.0.asked.0.userId") != string(f.people["owner"]) || at(v, "steps.0.asked.0.why") != "owner of the application" {
		t.Errorf("%v", v)
	}
	v = f.ok(super, "POST", "/api/v1/policies/action/test", fmt.Sprintf(`{"kind":"revoke","app_id":%q,"entitlement_id":"","subject":"user@example.com"}`, f.app))
	if at(v, "policyId") != "removal" || at(v, "outcome") != "approve" {
		t.Errorf("%v", v)
	}
	f.fails("an unknown path of a mask", super, "POST", "/api/v1/search/tasks", `{"expandMask":{"paths":["app_id","password"]}}`, 400, 3, `"password"`)
	f.fails("an unknown path of a mask", super, "POST", "/api/v1/search/request_catalog/entitlements", `{"expandMask":{"paths":["user_id"]}}`, 400, 3, `"user_id"`)
	f.fails("another kind", super, "POST", "/api/v1/policies/action/test", strings.Replace(body, "{", `{"kind":"x",`, 1), 400, 3, "no question about")
	f.fails("no duration", super, "POST", "/api/v1/policies/action/test", strings.Replace(body, "{", `{"duration":"x",`, 1), 400, 3, "no duration")
	f.fails("without the right", f.as("user"), "POST", "/api/v1/policies/action/test", body, 403, 7, "see policies")
}
