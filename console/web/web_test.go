package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/login"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// roles are the test persons, one for each way of having rights.
var roles = []struct {
	name  string
	roles []console.ConsoleRole
}{
	{"user", nil},
	{"owner", nil}, // owns the app
	{"helpdesk", []console.ConsoleRole{console.Helpdesk}},
	{"connectors", []console.ConsoleRole{console.ConnectorAdministrator}},
	{"campaigns", []console.ConsoleRole{console.CampaignAdministrator}},
	{"auditor", []console.ConsoleRole{console.Auditor}},
	{"officer", []console.ConsoleRole{console.SecurityOfficer}},
	{"super", []console.ConsoleRole{console.SuperAdministrator}},
}

// withPeople returns a console with an app and everybody of roles.
func withPeople(t testing.TB) *fixture {
	return newFixture(t).withPeople()
}

func (f *fixture) withPeople() *fixture {
	f.t.Helper()
	for _, r := range roles {
		f.addPerson(r.name, r.roles...)
	}
	f.addApp(f.people["owner"])
	return f
}

// want are the statuses of each route by person, in the order of roles; the last one applies to the
// rest.
var want = map[string][]int{
	"GET /static/{file}":                           {200},
	"GET /setup":                                   {303}, // somebody can sign in: to the login page
	"POST /setup":                                  {400}, // an empty form
	"GET /login":                                   {200},
	"POST /login":                                  {401},
	"GET /login/{provider}":                        {404}, // there is none
	"GET /login/{provider}/callback":               {401},
	"GET /invitation/{token}":                      {404},
	"POST /invitation/{token}":                     {404},
	"GET /demo":                                    {404}, // only in the demo
	"POST /demo":                                   {404},
	"GET /confirm":                                 {200},
	"POST /confirm":                                {401},
	"GET /confirm/{provider}":                      {404},
	"GET /sessions":                                {200},
	"POST /sessions/end":                           {404}, // an empty form
	"POST /sessions/end-others":                    {303},
	"POST /logout":                                 {303},
	"GET /{$}":                                     {200},
	"GET /search":                                  {200},
	"GET /request":                                 {200},
	"GET /request/{app}":                           {200},
	"GET /request/{app}/{entitlement}":             {200},
	"POST /request/{app}/{entitlement}":            {400},
	"POST /access/{app}/{entitlement}/give-back":   {303}, // this also cancels the request
	"GET /requests":                                {200},
	"GET /requests/{request}":                      {200, 200, 404, 404, 404, 200},
	"GET /task/{number}":                           {303, 303, 404, 404, 404, 303},
	"POST /requests/{request}/steps/{step}/decide": {400},
	"POST /requests/{request}/steps/{step}/reassign": {409, 409, 404, 404, 404, 409},
	"POST /requests/{request}/comment":               {400, 400, 404, 404, 404, 400},
	"POST /requests/{request}/cancel":                {409, 400, 404, 404, 404, 403, 403, 400},
	"POST /requests/{request}/extend":                {303, 403, 404, 404, 404, 403, 403, 409},
	"POST /requests/{request}/give-back":             {409, 409, 404, 404, 404, 409},
	"POST /requests/{request}/review":                {403, 403, 404, 404, 404, 403, 409},
	"GET /approvals":                                 {200},
	"POST /approvals":                                {400},
	"GET /device":                                    {200},
	"POST /device":                                   {400},
	"GET /delegation":                                {200},
	"POST /delegation":                               {303}, // an empty form: nobody
	"GET /policies":                                  {403, 200, 403, 403, 200},
	"GET /policies/new":                              {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /policies/new":                             {403, 403, 403, 403, 403, 403, 403, 400},
	"GET /policies/test":                             {403, 200, 403, 403, 200},
	"GET /policies/{policy}":                         {403, 200, 403, 403, 200},
	"POST /policies/{policy}":                        {403, 403, 403, 403, 403, 403, 403, 400},
	"POST /changes/{change}":                         {400},
	"GET /applications/{app}/requests":               {404, 200, 404, 403, 404, 403, 403, 200},
	"POST /applications/{app}/requests":              {404, 400, 404, 403, 404, 403, 403, 400},
	"GET /applications/{app}/entitlements/{entitlement}/requests":  {404, 200, 404, 403, 404, 403, 403, 200},
	"POST /applications/{app}/entitlements/{entitlement}/requests": {404, 400, 404, 403, 404, 403, 403, 400},
	"GET /requirements": {200},
	"GET /applications/{app}/entitlements/{entitlement}/requirement":                             {404, 200, 404, 403, 404, 200},
	"POST /applications/{app}/entitlements/{entitlement}/requirement":                            {404, 400, 404, 403, 404, 403, 403, 400},
	"POST /applications/{app}/entitlements/{entitlement}/requirement/exempt":                     {404, 409, 404, 403, 404, 403, 403, 409}, // nothing is required
	"POST /applications/{app}/entitlements/{entitlement}/requirement/exemptions/{exemption}/end": {404, 404, 404, 403, 404, 403, 403, 404},
	"POST /applications/{app}/entitlements/{entitlement}/requirement/confirm":                    {404, 409, 404, 403, 404, 403, 409},

	"GET /automations":                                          {200},
	"POST /automations/pause":                                   {403, 403, 403, 403, 403, 403, 400}, // an empty form
	"GET /automations/new":                                      {403, 200, 403, 403, 403, 403, 403, 200},
	"POST /automations/new":                                     {403, 404, 403, 403, 403, 403, 403, 404}, // for no app
	"GET /automations/{automation}":                             {404, 200, 404, 404, 200},
	"GET /automations/{automation}/trigger":                     {404, 200, 404, 404, 403, 403, 403, 200},
	"POST /automations/{automation}/trigger":                    {404, 409, 404, 404, 403, 403, 403, 409}, // of an old version
	"POST /automations/{automation}/steps":                      {404, 400, 404, 404, 403, 403, 403, 400},
	"GET /automations/{automation}/steps/{step}":                {404, 404, 404, 404, 403, 403, 403, 404},
	"POST /automations/{automation}/steps/{step}":               {404, 404, 404, 404, 403, 403, 403, 404},
	"POST /automations/{automation}/steps/{step}/move":          {404, 404, 404, 404, 403, 403, 403, 404},
	"POST /automations/{automation}/steps/{step}/remove":        {404, 404, 404, 404, 403, 403, 403, 404},
	"POST /automations/{automation}/publish":                    {404, 409, 404, 404, 403, 403, 403, 409},
	"POST /automations/{automation}/versions/{version}/restore": {404, 303, 404, 404, 403, 403, 403, 303},
	"POST /automations/{automation}/pause":                      {404, 400, 404, 404, 403, 403, 400},
	"POST /automations/{automation}/resume":                     {404, 400, 404, 404, 403, 403, 403, 400},
	"POST /automations/{automation}/remove":                     {404, 400, 404, 404, 403, 403, 403, 400}, // without its name
	"GET /automations/{automation}/test":                        {404, 200, 404, 404, 403, 403, 403, 200},
	"POST /automations/{automation}/test":                       {404, 200, 404, 404, 403, 403, 403, 200},
	"POST /automations/{automation}/run":                        {404, 400, 404, 404, 403, 403, 403, 400},
	"GET /automations/{automation}/request":                     {404}, // it runs on demand
	"POST /automations/{automation}/request":                    {404},
	"GET /automation-requests/{run}":                            {404}, // nobody requested it
	"POST /automation-requests/{run}/decide":                    {404},
	"GET /automations/{automation}/runs":                        {404, 200, 404, 404, 403, 200},
	"GET /automations/{automation}/runs/{run}":                  {404, 200, 404, 404, 403, 200},
	"POST /automations/{automation}/runs/{run}/cancel":          {404, 400, 404, 404, 403, 403, 400},

	"GET /applications":                               {200},
	"GET /applications/unmanaged":                     {200},
	"GET /applications/new":                           {403, 403, 403, 200, 403, 403, 403, 200},
	"POST /applications/new":                          {403, 403, 403, 400, 403, 403, 403, 400},
	"GET /applications/{app}":                         {404, 200, 404, 200, 404, 200},
	"GET /applications/{app}/recovery":                {404, 200, 404, 403, 404, 200},
	"POST /applications/{app}/recovery/printed":       {404, 303, 404, 403, 404, 303},
	"GET /findings":                                   {200},
	"GET /plans":                                      {200},
	"POST /plans":                                     {400},
	"GET /plans/{plan}":                               {404, 200, 404, 404, 404, 200, 200, 200},
	"GET /plans/{plan}/lines":                         {404, 200, 404, 404, 404, 200, 200, 200},
	"GET /live/plans/{plan}":                          {404, 200, 404, 404, 404, 200, 200, 200},
	"POST /plans/{plan}/apply":                        {404, 400, 404, 404, 404, 400, 400, 400}, // without a hash
	"POST /plans/{plan}/compute":                      {404, 303, 404, 404, 404, 403, 409, 409}, // the owner discards it
	"POST /plans/{plan}/discard":                      {404, 303, 404, 404, 404, 403, 409, 409},
	"POST /plans/{plan}/stop":                         {404, 400, 404, 404, 404, 403, 400, 400},
	"POST /findings/{finding}/accept":                 {404, 400, 404, 404, 404, 403, 400, 400},
	"POST /findings/{finding}/snooze":                 {404, 400, 404, 404, 404, 403, 400, 400},
	"POST /findings/{finding}/reopen":                 {404, 303, 404, 404, 404, 403, 303, 303},
	"GET /reviews":                                    {200},
	"GET /reviews/{campaign}":                         {404, 200, 404, 404, 303}, // leads to the campaign
	"POST /reviews/{campaign}":                        {404, 400, 404, 404, 303}, // nothing is decided
	"POST /reviews/{campaign}/withdraw":               {404, 400, 404, 404, 303},
	"POST /reviews/{campaign}/pass":                   {404, 400, 404, 404, 303},
	"GET /reviews/{campaign}/bulk":                    {404, 200, 404, 404, 200, 409}, // its owner closes it
	"POST /reviews/{campaign}/bulk":                   {404, 400, 404, 404, 400},
	"GET /reviews/{campaign}/submit":                  {404, 200, 404, 404, 200},
	"POST /reviews/{campaign}/submit":                 {404, 409, 404, 404, 409}, // nothing is pending
	"GET /campaigns":                                  {200},
	"GET /campaigns/templates":                        {200},
	"GET /campaigns/new":                              {403, 403, 403, 403, 200, 403, 403, 200},
	"POST /campaigns/new":                             {403, 403, 403, 403, 400, 403, 403, 400}, // an empty form
	"GET /campaigns/{campaign}":                       {404, 303, 404, 404, 200},                // the owner of the app reviews
	"GET /live/campaigns/{campaign}":                  {404, 403, 404, 404, 200},
	"GET /campaigns/{campaign}/edit":                  {404, 403, 404, 404, 200, 403, 403, 200},
	"POST /campaigns/{campaign}/edit":                 {404, 403, 404, 404, 409, 403, 403, 409}, // of an old version
	"POST /campaigns/{campaign}/prepare":              {404, 403, 404, 404, 409, 403, 403, 409}, // it runs
	"POST /campaigns/{campaign}/reset":                {404, 403, 404, 404, 409, 403, 403, 409},
	"POST /campaigns/{campaign}/start":                {404, 403, 404, 404, 409, 403, 403, 409},
	"POST /campaigns/{campaign}/close":                {404, 403, 404, 404, 303, 403, 403, 409}, // its owner closes it
	"POST /campaigns/{campaign}/cancel":               {404, 403, 404, 404, 400, 403, 403, 400}, // without a reason
	"POST /campaigns/{campaign}/carry-out":            {404, 403, 404, 404, 403, 403, 403, 303},
	"POST /campaigns/{campaign}/sample":               {404, 403, 404, 404, 400, 403, 403, 400},
	"GET /campaigns/{campaign}/items":                 {404, 403, 404, 404, 200},
	"GET /campaigns/{campaign}/items/{item}":          {404, 200, 404, 404, 200},
	"POST /campaigns/{campaign}/reassign":             {404, 403, 404, 404, 400, 403, 403, 400},
	"GET /campaigns/{campaign}/pack":                  {404, 403, 404, 404, 200},
	"GET /incompatible":                               {403, 403, 403, 403, 200},
	"POST /incompatible":                              {403, 403, 403, 403, 400, 403, 400, 400}, // an empty form
	"POST /incompatible/{incompatible}/end":           {403, 403, 403, 403, 400, 403, 400, 400},
	"GET /changes":                                    {200},
	"GET /applications/{app}/changes":                 {404, 200, 404, 403, 404, 200},
	"POST /applications/{app}/changes":                {404, 400, 404, 403, 404, 403, 400, 400}, // an empty form
	"GET /connectors":                                 {200},
	"GET /admin/connectors":                           {200},
	"GET /settings/domains":                           {403, 403, 403, 403, 403, 200},
	"POST /settings/domains":                          {403, 403, 403, 403, 403, 403, 403, 303},
	"GET /catalog":                                    {403, 403, 403, 200, 403, 403, 403, 200},
	"GET /catalog/{product}":                          {403, 403, 403, 200, 403, 403, 403, 200},
	"POST /catalog/{product}":                         {403, 403, 403, 400, 403, 403, 403, 400},
	"GET /connectors/{connector}":                     {404, 200, 404, 200, 404, 200},
	"POST /connectors/{connector}/pause":              {404, 303, 404, 303, 404, 403, 403, 303},
	"POST /connectors/{connector}/syncs/{sync}/judge": {404, 404, 404, 404, 404, 403, 403, 404},
	"GET /connectors/{connector}/syncs/{sync}/file":   {404},
	"GET /connectors/{connector}/settings":            {404, 200, 404, 200, 404, 200},
	"GET /connectors/{connector}/settings/edit":       {404, 200, 404, 200, 404, 403, 403, 200},
	"POST /connectors/{connector}/settings/edit":      {404, 400, 404, 400, 404, 403, 403, 400},
	"POST /connectors/{connector}/test":               {404, 409, 404, 409, 404, 403, 403, 409}, // not hosted
	"POST /connectors/{connector}/sync":               {404, 303, 404, 303, 404, 403, 403, 303},
	"POST /connectors/{connector}/rotate":             {404, 200, 404, 200, 404, 403, 403, 200},
	"POST /connectors/{connector}/revoke":             {404, 404, 404, 404, 404, 403, 403, 404},
	"GET /connectors/{connector}/hosts":               {404, 200, 404, 200, 404, 200},
	"GET /connectors/{connector}/log":                 {404, 200, 404, 200, 404, 200},

	"GET /live/requests/{request}":        {200, 200, 404, 404, 404, 200},
	"GET /live/connectors":                {200},
	"GET /live/connectors/{connector}":    {404, 200, 404, 200, 404, 200},
	"GET /connectors/{connector}/upload":  {404, 200, 404, 200, 404, 403, 403, 200},
	"POST /connectors/{connector}/upload": {404, 400, 404, 400, 404, 403, 403, 400},

	"GET /audit":                              {200},
	"GET /audit/export":                       {403, 403, 403, 403, 403, 200},
	"GET /audit/head":                         {403, 403, 403, 403, 403, 200},
	"GET /audit/report":                       {403, 403, 403, 403, 403, 200},
	"POST /people/{person}/erase":             {403, 403, 403, 403, 403, 403, 400}, // an empty form
	"GET /settings/retention":                 {403, 403, 403, 403, 403, 200},
	"GET /settings/configuration":             {403, 403, 403, 403, 403, 200},
	"GET /settings/configuration/export":      {403, 403, 403, 403, 403, 200},
	"POST /settings/retention":                {403, 403, 403, 403, 403, 403, 403, 400}, // an empty form
	"GET /settings/audit":                     {403, 403, 403, 403, 403, 200},
	"POST /settings/audit":                    {403, 403, 403, 403, 403, 403, 403, 303}, // an empty form: nowhere
	"POST /audit/check":                       {403, 403, 403, 403, 403, 200},
	"GET /settings/webhooks":                  {403, 403, 403, 403, 403, 200},
	"GET /settings/mail":                      {403, 403, 403, 403, 403, 200},
	"POST /settings/mail":                     {403, 403, 403, 403, 403, 403, 403, 400},
	"POST /settings/mail/test":                {403, 403, 403, 403, 403, 403, 403, 409}, // mail is not configured
	"GET /settings/mail/outbox":               {403, 403, 403, 403, 403, 200},
	"POST /settings/mail/outbox/{mail}/retry": {403, 403, 403, 403, 403, 403, 403, 404},
	"POST /applications/{app}/owners":         {404, 400, 404, 403, 404, 403, 403, 400},
	"POST /connectors/{connector}/owners":     {404, 400, 404, 400, 404, 403, 403, 400},
	"GET /me/mail":                            {200},
	"POST /me/mail":                           {400},

	"GET /people":                  {200},
	"GET /people/new":              {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /people/new":             {403, 403, 403, 403, 403, 403, 403, 400},
	"GET /people/{person}":         {404, 404, 404, 404, 404, 200},
	"GET /people/{person}/history": {404, 404, 404, 404, 404, 200},
	"POST /people/{person}/invite": {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /people/{person}/status": {403, 403, 403, 403, 403, 403, 403, 303},
	"POST /people/{person}/roles":  {403, 403, 403, 403, 403, 403, 403, 303},

	"POST /people/{person}/identities/remove": {403, 403, 403, 403, 403, 403, 403, 404},

	"GET /settings/sign-in":                              {403, 403, 403, 403, 403, 200},
	"GET /settings/sign-in/new":                          {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/sign-in/new":                         {403, 403, 403, 403, 403, 403, 403, 400},
	"POST /settings/sign-in/break-glass":                 {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/sign-in/break-glass/end":             {403, 403, 403, 403, 403, 403, 403, 303},
	"GET /settings/sign-in/{provider}":                   {403, 403, 403, 403, 403, 404},
	"POST /settings/sign-in/{provider}":                  {403, 403, 403, 403, 403, 403, 403, 404},
	"POST /settings/sign-in/{provider}/remove":           {403, 403, 403, 403, 403, 403, 403, 404},
	"GET /settings/scim":                                 {403, 403, 403, 403, 403, 200},
	"POST /settings/scim":                                {403, 403, 403, 403, 403, 403, 403, 400}, // an empty form
	"GET /settings/scim/{source}":                        {403, 403, 403, 403, 403, 200},
	"POST /settings/scim/{source}/tokens":                {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/scim/{source}/tokens/{token}/revoke": {403, 403, 403, 403, 403, 403, 403, 404},
	"GET /settings/scim/{source}/groups/{group}":         {403, 403, 403, 403, 403, 200},
	"POST /settings/scim/{source}/groups/{group}":        {403, 403, 403, 403, 403, 403, 403, 303},
	"POST /settings/scim/{source}/remove":                {403, 403, 403, 403, 403, 403, 403, 303},
	"GET /credentials":                                   {200},
	"POST /credentials":                                  {400},                                    // an empty form
	"POST /credentials/{credential}/revoke":              {404, 404, 303, 404, 404, 403, 403, 303}, // helpdesk's
	"GET /settings/api-credentials":                      {403, 403, 403, 403, 403, 200},
	"POST /settings/api-credentials":                     {403, 403, 403, 403, 403, 403, 403, 400},

	"GET /settings/webhooks/new":                                     {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/webhooks/new":                                    {403, 403, 403, 403, 403, 403, 403, 400}, // an empty form
	"GET /settings/webhooks/{webhook}":                               {403, 403, 403, 403, 403, 200},
	"GET /settings/webhooks/{webhook}/edit":                          {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/webhooks/{webhook}/edit":                         {403, 403, 403, 403, 403, 403, 403, 400},
	"POST /settings/webhooks/{webhook}/test":                         {403, 403, 403, 403, 403, 403, 403, 303},
	"POST /settings/webhooks/{webhook}/pause":                        {403, 403, 403, 403, 403, 403, 403, 303},
	"POST /settings/webhooks/{webhook}/rotate":                       {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/webhooks/{webhook}/replay":                       {403, 403, 403, 403, 403, 403, 403, 400}, // since when?
	"POST /settings/webhooks/{webhook}/deliveries/{delivery}/replay": {403, 403, 403, 403, 403, 403, 403, 404},
	"POST /settings/webhooks/{webhook}/remove":                       {403, 403, 403, 403, 403, 403, 403, 303},
	"GET /settings/hooks/new":                                        {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/hooks/new":                                       {403, 403, 403, 403, 403, 403, 403, 400},
	"GET /settings/hooks/{hook}":                                     {403, 403, 403, 403, 403, 200},
	"POST /settings/hooks/{hook}":                                    {403, 403, 403, 403, 403, 403, 403, 400},
	"POST /settings/hooks/{hook}/rotate":                             {403, 403, 403, 403, 403, 403, 403, 200},
	"POST /settings/hooks/{hook}/remove":                             {403, 403, 403, 403, 403, 403, 403, 303},

	"GET /applications/{app}/provisioning":                                  {404, 200, 404, 403, 404, 200},
	"POST /applications/{app}/provisioning":                                 {404, 409, 404, 403, 404, 403, 403, 409}, // an empty form has no version
	"GET /applications/{app}/seats":                                         {404, 200, 404, 403, 404, 200},
	"POST /applications/{app}/seats":                                        {404, 400, 404, 403, 404, 403, 403, 400},
	"GET /applications/{app}/several-roles":                                 {404, 200, 404, 403, 404, 200},
	"POST /applications/{app}/several-roles":                                {404, 400, 404, 403, 404, 403, 400}, // an empty form
	"POST /applications/{app}/entitlements/{entitlement}/master":            {404, 303, 404, 403, 404, 403, 403, 303},
	"GET /applications/{app}/accounts/new":                                  {404, 200, 404, 403, 404, 403, 200},
	"POST /applications/{app}/accounts/new":                                 {404, 400, 404, 403, 404, 403, 400},
	"GET /applications/{app}/accounts":                                      {404, 200, 404, 403, 404, 200},
	"GET /applications/{app}/accounts/{account}":                            {404, 200, 404, 403, 404, 200},
	"GET /applications/{app}/accounts/{account}/history":                    {404, 200, 404, 403, 404, 200},
	"GET /applications/{app}/accounts/{account}/entitlements/{entitlement}": {404, 200, 404, 403, 404, 200},
	"GET /applications/{app}/entitlements/{entitlement}/history":            {404, 200, 404, 403, 404, 200},
	"GET /applications/{app}/entitlements":                                  {404, 200, 404, 403, 404, 200},
	"GET /applications/{app}/entitlements/{entitlement}":                    {404, 200, 404, 403, 404, 200},

	"GET /applications/{app}/accounts/{account}/entitlements/{entitlement}/remove":  {404, 200, 404, 403, 404, 403, 200, 200},
	"POST /applications/{app}/accounts/{account}/entitlements/{entitlement}/remove": {404, 400, 404, 403, 404, 403, 400, 400},
	"POST /applications/{app}/accounts/{account}/enable":                            {404, 400, 404, 403, 404, 403, 400, 400},
	"GET /applications/{app}/operations":                                            {404, 200, 404, 403, 404, 200},
	"GET /applications/{app}/operations/{operation}":                                {404, 404, 404, 403, 404, 404},
	"POST /applications/{app}/operations/{operation}/retry":                         {404, 404, 404, 403, 404, 404},
	"POST /applications/{app}/operations/{operation}/cancel":                        {404, 404, 404, 403, 404, 404},
	"POST /applications/{app}/operations/{operation}/by-hand":                       {404, 404, 404, 403, 404, 404},
	"POST /applications/{app}/operations/{operation}/done":                          {404, 404, 404, 403, 404, 404},
	"GET /connectors/{connector}/actions":                                           {404, 200, 404, 200, 404, 200},
	"POST /connectors/{connector}/actions":                                          {404, 303, 404, 403, 404, 403, 303, 303},
	"GET /connectors/{connector}/actions/{action}":                                  {404, 404, 404, 403, 404, 403, 404, 404},
	"POST /connectors/{connector}/actions/{action}":                                 {404, 404, 404, 403, 404, 403, 404, 404},
}

// TestWhoMay requests every route as everybody: an invisible object does not exist, and a visible
// but forbidden one names the roles that may.
func TestWhoMay(t *testing.T) {
	f := withPeople(t)
	var account, entitlement string
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "eve")
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:members:member")
		account, entitlement = fmt.Sprint(a.Key), fmt.Sprint(e.Key)
		return err
	}))
	made, err := f.govern.IssueClient(t.Context(), f.people["helpdesk"], govern.NewClient{Name: "laptop " + strings.NewReplacer("\x00", "", "\u202e", "").Replace(hostile), Scopes: []console.Scope{console.ScopeRead}, Life: time.Hour})
	f.check(err)
	asked := f.asks("user")
	hook, incoming := f.addWebhooks()
	source, group := f.addSCIMSource()
	automation, run := f.addAutomation("owner")
	fill := strings.NewReplacer("{campaign}", string(f.addCampaign()), "{item}", "1", "{incompatible}", "x", "{automation}", string(automation), "{run}", string(run), "{version}", "1", "{source}", string(source), "{group}", string(group), "{webhook}", string(hook), "{hook}", string(incoming), "{delivery}", "x", "{file}", "console.css", "{token}", "x", "{$}", "", "{app}", string(f.app), "{account}", account,
		"{entitlement}", entitlement, "{product}", "perplexity", "{connector}", string(f.connector), "{sync}", "x", "{operation}", "x", "{action}", "x", "{provider}", "x",
		"{request}", string(asked.ID), "{step}", string(asked.Plan.Steps[0].ID), "{number}", "1", "{policy}", "standard", "{change}", "x", "{exemption}", "x",
		"{credential}", string(made.ID),
		"{mail}", "x", "{plan}", string(f.plans(account)), "{finding}", string(f.appears(console.AccountUnmatched, console.FindingAbout{})),
		"{person}", string(f.addPerson("victim")))
	forms := map[string]url.Values{"POST /people/{person}/status": {"status": {"active"}}}
	for i, role := range roles {
		b := f.as(role.name)
		for _, r := range routes {
			method, path, _ := strings.Cut(r.pattern, " ")
			statuses := want[r.pattern]
			if statuses == nil {
				t.Errorf("%s has no row in this test", r.pattern)
				continue
			}
			if r.pattern == "POST /logout" {
				continue // at the end
			}
			var got answer
			if path = fill.Replace(path); method == "GET" {
				got = b.get(path)
			} else {
				got = b.post(path, forms[r.pattern])
			}
			if want := statuses[min(i, len(statuses)-1)]; got.status != want {
				t.Errorf("%s as %s: %d, want %d", r.pattern, role.name, got.status, want)
			}
			if got.status == http.StatusForbidden && !strings.Contains(got.body, "Super Administrator") {
				t.Errorf("%s as %s does not name the role that may", r.pattern, role.name)
			}
			if method == "GET" && strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
				got.checkSafe(t, path)
			}
		}
		b.post("/logout", nil).wants(t, "sign out", http.StatusSeeOther)
		if r := b.get("/people"); r.status != http.StatusSeeOther || r.location != "/login?next=%2Fpeople" {
			t.Errorf("after signing out: %d %s", r.status, r.location)
		}
	}

	// Without a session, only the pages for everybody are reachable.
	b := f.browser()
	for _, r := range routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		if r.who != signedIn {
			continue
		}
		got := b.get(fill.Replace(path))
		if method == "POST" {
			got = b.post(fill.Replace(path), nil)
		}
		if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, "/login") {
			t.Errorf("%s without a session: %d %s", r.pattern, got.status, got.location)
		}
	}
}

func TestSetup(t *testing.T) {
	f := newFixture(t)
	b := f.browser()
	if r := b.get("/login"); r.location != "/setup" {
		t.Fatalf("a new console: %d %s", r.status, r.location)
	}
	token, err := f.govern.NewSetupToken(t.Context())
	f.check(err)
	page := b.get("/setup?token=" + token.Reveal())
	page.wants(t, "setup", 200, "Set up the console", "otpauth://totp/")
	secret := baton.NewSecret(page.field(t, "code-secret"))
	form := url.Values{"token": {page.field(t, "token")}, "name": {"Root"}, "email": {"root@example.com"}, "login": {"root"},
		"password": {password("root").Reveal()}, "code-secret": {secret.Reveal()}, "code": {"000000"}}
	again := b.post("/setup", form)
	again.wants(t, "a wrong code", 400, "The one-time code is wrong.", `value="Root"`)
	if got := again.field(t, "code-secret"); got != secret.Reveal() {
		t.Errorf("the form shows another secret than before: %s", got)
	}
	code, err := login.Code(secret, f.now)
	f.check(err)
	form.Set("code", code)
	if r := b.post("/setup", form); r.location != "/login" {
		t.Fatalf("setup: %d %s", r.status, r.body)
	}
	f.codes["root"] = secret
	f.as("root").get("/people").wants(t, "people", 200, "Root", "Super Administrator", "Add a person")
	if r := b.get("/setup"); r.location != "/login" {
		t.Errorf("setup again: %d", r.status)
	}
}

func TestLogin(t *testing.T) {
	f := newFixture(t)
	f.addPerson("ana", console.SuperAdministrator)
	b := f.browser()
	b.get("/login").wants(t, "login", 200, "Sign in")
	form := func(next string) url.Values {
		return url.Values{"login": {"ana"}, "password": {password("ana").Reveal()}, "code": {f.code("ana")}, "next": {next}}
	}
	wrong := form("/people")
	wrong.Set("password", "another long password")
	b.post("/login", wrong).wants(t, "a wrong password", 401, "Login name, password or one-time code is wrong.", `value="ana"`, `value="/people"`)

	// The login replaces an earlier session.
	fixed := &http.Cookie{Name: "session", Value: "chosen-by-somebody-else"}
	r, err := http.NewRequest("POST", f.server.URL+"/login", strings.NewReader(form("/people?after=x").Encode()))
	f.check(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(fixed)
	got := b.do(r)
	if got.status != http.StatusSeeOther || got.location != "/people?after=x" {
		t.Fatalf("sign in: %d %s", got.status, got.location)
	}
	cookie := got.header.Get("Set-Cookie")
	if strings.Contains(cookie, fixed.Value) || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Errorf("cookie %q", cookie)
	}

	for _, elsewhere := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "people", "/a\nb", ""} {
		f.now = f.now.Add(time.Minute)
		if r := f.browser().post("/login", form(elsewhere)); r.location != "/" {
			t.Errorf("next=%q leads to %q", elsewhere, r.location)
		}
	}
}

// TestSecureCookie checks the cookie of a console with an https address.
func TestSecureCookie(t *testing.T) {
	f := newFixture(t)
	f.addPerson("ana")
	address, err := url.Parse("https://console.example.com")
	f.check(err)
	f.server.Config.Handler = New(Config{Console: f.govern, URL: address})
	r := f.browser().post("/login", url.Values{"login": {"ana"}, "password": {password("ana").Reveal()}, "code": {f.code("ana")}})
	if c := r.header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-session=") || !strings.Contains(c, "Secure") || !strings.Contains(c, "Path=/") {
		t.Errorf("cookie %q", c)
	}
}

// TestCrossSite checks that other sites cannot submit forms.
func TestCrossSite(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	send := func(path string, header http.Header) answer {
		r, err := http.NewRequest("POST", f.server.URL+path, strings.NewReader("status=disabled"))
		f.check(err)
		r.Header = header.Clone()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.do(r)
	}
	forms := 0
	for _, r := range routes {
		path, isPost := strings.CutPrefix(r.pattern, "POST ")
		if !isPost {
			continue
		}
		forms++
		if got := send(strings.NewReplacer("{person}", string(f.people["user"]), "{", "", "}", "").Replace(path), http.Header{"Sec-Fetch-Site": {"cross-site"}}); got.status != http.StatusForbidden {
			t.Errorf("%s from another site: %d", r.pattern, got.status)
		}
	}
	if forms < 20 {
		t.Errorf("only %d forms", forms)
	}
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}} {
		if got := send("/people/"+string(f.people["user"])+"/status", header); got.status != http.StatusForbidden {
			t.Errorf("%v: %d", header, got.status)
		}
	}
	b.get("/people/"+string(f.people["user"])).wants(t, "the person", 200, "Disable")
}

// TestDemo signs in with one click, if that is offered.
func TestDemo(t *testing.T) {
	f := withPeople(t)
	f.server.Config.Handler = New(Config{Console: f.govern, Demo: []DemoPerson{{Email: "auditor@example.com", Text: "looks at everything"}}})
	b := f.browser()
	b.get("/login").wants(t, "the login page of a demo", 200, `<a href="/demo">choose who you want to be</a>`)
	b.get("/demo").wants(t, "the demo", 200, "Who do you want to be?", "looks at everything", "Sign in as auditor")
	b.post("/demo", url.Values{"email": {"super@example.com"}}).wants(t, "somebody who is not offered", 404)
	if r := b.post("/demo", url.Values{"email": {"auditor@example.com"}, "next": {"/people"}}); r.location != "/people" {
		t.Fatalf("sign in: %d %s", r.status, r.body)
	}
	b.get("/people").wants(t, "people", 200, "super")
}

// TestStepUp checks that a sensitive form requires authentication and then continues.
func TestStepUp(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	person := "/people/" + string(f.people["user"])
	f.now = f.now.Add(console.StepUp)
	r := b.post(person+"/roles", url.Values{"role": {"auditor"}})
	if r.location != "/confirm?next="+url.QueryEscape(person+"/roles") {
		t.Fatalf("roles after ten minutes: %d %s", r.status, r.location)
	}
	b.get(r.location).wants(t, "confirm", 200, "Confirm that it is you")
	f.now = f.now.Add(time.Minute)
	b.post("/confirm", url.Values{"next": {person}, "password": {"another long password"}, "code": {f.code("super")}}).wants(t, "a wrong password", 401)
	if r := b.post("/confirm", url.Values{"next": {person}, "password": {password("super").Reveal()}, "code": {f.code("super")}}); r.location != person {
		t.Fatalf("confirm: %d %s", r.status, r.location)
	}
	if r := b.post(person+"/roles", url.Values{"role": {"auditor"}, "name": {"Mallory"}, "status": {"gone"}}); r.location != person {
		t.Fatalf("roles: %d %s", r.status, r.body)
	}
	page := b.get(person)
	page.wants(t, "the person", 200, `value="auditor" checked`)
	if strings.Contains(page.body, "Mallory") || strings.Contains(page.body, "Gone") {
		t.Error("fields that the form does not have were taken")
	}
	b.post("/people/"+string(f.people["super"])+"/roles", nil).wants(t, "one's own roles", 409, "Nobody changes the own roles.")
}

// TestInvitation follows an invitation to a login.
func TestInvitation(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	r := b.post("/people/new", url.Values{"name": {"Ben"}, "email": {"ben@example.com"}, "role": {"auditor"}})
	if r.status != http.StatusSeeOther {
		t.Fatalf("add: %d %s", r.status, r.body)
	}
	b.post("/people/new", url.Values{"name": {"Other"}, "email": {"ben@example.com"}}).wants(t, "a taken address", 409, "exists already")
	page := b.post(r.location+"/invite", nil)
	page.wants(t, "invite", 200, "It works once")
	m := regexp.MustCompile(`http://[^<]+/invitation/[A-Za-z0-9_-]+`).FindString(page.body)
	path := strings.TrimPrefix(m, f.server.URL)
	ben := f.browser()
	form := ben.get(path)
	form.wants(t, "the invitation", 200, "Welcome, Ben", `value="ben@example.com"`)
	secret := baton.NewSecret(form.field(t, "code-secret"))
	code, err := login.Code(secret, f.now)
	f.check(err)
	values := url.Values{"login": {"ben"}, "password": {"short"}, "code-secret": {secret.Reveal()}, "code": {code}}
	ben.post(path, values).wants(t, "a short password", 400, "Choose one of at least 12 characters.")
	values.Set("password", password("ben").Reveal())
	if r := ben.post(path, values); r.location != "/login" {
		t.Fatalf("accept: %d %s", r.status, r.body)
	}
	ben.get(path).wants(t, "the invitation again", 404, "Ask for a new one.")
	f.codes["ben"] = secret
	f.as("ben").get("/applications").wants(t, "applications", 200, "Perplexity")
}

// TestUnmanaged adds an application, and manages it and one from a directory by adding connectors.
func TestUnmanaged(t *testing.T) {
	f := withPeople(t)
	b := f.as("connectors")
	b.post("/applications/new", url.Values{"name": {" "}}).wants(t, "no name", 400, "The app&#39;s name is missing.")
	if r := b.post("/applications/new", url.Values{"name": {hostileTyped}}); r.status != http.StatusSeeOther {
		t.Fatalf("add: %d %s", r.status, r.body)
	}
	b.post("/applications/new", url.Values{"name": {hostileTyped}}).wants(t, "a taken name", 409, "There is an app of this name already.")
	f.now = f.now.Add(time.Minute)
	ingesttest.Tenant{Accounts: accounts(62), Apps: []baton.Resource{ingesttest.App("sf", "Salesforce "+hostile)}}.Receive(t, f.store, f.connector, f.now)
	f.check(f.store.Update(t.Context(), console.By{At: f.now, Actor: console.ByPerson(f.people["super"])}, func(tx *store.Tx) error { // the groups are gone
		held, err := tx.HeldSync(f.connector)
		if err != nil || held == nil {
			return err
		}
		return tx.ConfirmSync(held.ID, "it is another one")
	}))
	f.applyConfirmed()
	list := b.get("/applications/unmanaged")
	list.wants(t, "the list", 200, "added by hand", "Salesforce", "Add connector")
	list.checkSafe(t, "the list")
	choice := regexp.MustCompile(`/catalog\?unmanaged=(resource-\d+)`).FindStringSubmatch(list.body)
	hand := regexp.MustCompile(`/catalog\?unmanaged=(app-\w+)`).FindStringSubmatch(list.body)
	if choice == nil || hand == nil {
		t.Fatalf("no links: %s", list.body)
	}
	form := b.get(b.get(choice[0]).link(t, "Add"))
	form.wants(t, "the form", 200, `value="unmanaged" checked`, `value="`+choice[1]+`" selected`, "Add the connector to a currently unmanaged app")
	form.checkSafe(t, "the form")
	for _, value := range []string{"", "app-", "resource-", "resource--1", "resource-x", "sf"} {
		b.post("/catalog/baton", url.Values{"name": {"x"}, "where": {"unmanaged"}, "unmanaged": {value}}).wants(t, value, 400, "Choose an unmanaged app.")
	}
	b.post("/catalog/baton", url.Values{"name": {"x"}, "where": {"unmanaged"}, "unmanaged": {"resource-99999"}}).wants(t, "nothing", 404)
	for i, value := range []string{choice[1], hand[1]} {
		if r := b.post("/catalog/baton", url.Values{"name": {fmt.Sprint("c", i)}, "where": {"unmanaged"}, "unmanaged": {value}, "new-app": {"ignored"}}); r.status != http.StatusSeeOther {
			t.Errorf("%s: %d %s", value, r.status, r.body)
		}
	}
	b.get("/applications/unmanaged").wants(t, "the list", 200, "There is no unmanaged application")
	b.get("/applications").wants(t, "managed apps", 200, "Salesforce")
}

// TestConnect follows the installation guide, from Add connector to a connector that calls, and its
// data.
func TestConnect(t *testing.T) {
	f := withPeople(t)
	b := f.as("connectors")
	catalog := b.get(b.get("/connectors").link(t, "Add connector"))
	catalog.wants(t, "the catalogue", 200, "Perplexity", "Baton")
	none := b.get("/catalog?search=slack")
	none.wants(t, "a search that finds nothing", 200, "/catalog/baton")
	found := b.get("/catalog?search=perplex")
	form := b.get(found.link(t, "Add"))
	form.wants(t, "the form", 200, "Create a new managed app", "Set the owner for this connector", "50 seats", "Next")
	path := found.link(t, "Add")
	b.post(path, url.Values{"name": {"x"}, "where": {"new"}, "new-app": {" "}}).wants(t, "no app", 400)
	b.post(path, url.Values{"name": {"x"}, "where": {"managed"}, "app": {"nothing"}}).wants(t, "another app", 404)
	b.post(path, url.Values{"name": {"perplexity"}, "where": {"new"}, "new-app": {"B"}}).wants(t, "a taken name", 409, "exists already")
	r := b.post(path, url.Values{"name": {"Perplexity EU"}, "where": {"new"}, "new-app": {"Perplexity EU"}, "owner": {string(f.people["user"])}})
	if r.status != http.StatusSeeOther {
		t.Fatalf("add: %d %s", r.status, r.body)
	}
	settings := b.get(r.location)
	settings.wants(t, "settings", 200, "Not connected", "owned by user")
	edit := b.get(settings.link(t, "Edit"))
	edit.wants(t, "edit", 200, "Rotate", `value="60"`)
	base := strings.TrimSuffix(r.location, "/settings")
	rotated := b.post(base+"/rotate", nil)
	rotated.wants(t, "rotate", 200, "The secret is shown once.", "baton-perplexity-secrets.yaml", "BATON_SCIM_URL", "systemd", "docker run")
	id := regexp.MustCompile(`perplexity-eu-\d{5}@console\.example\.com/baton`).FindString(rotated.body)
	secret := regexp.MustCompile(`secret-token:console\.example\.com:v1:[A-Za-z0-9_-]+`).FindString(rotated.body)
	if id == "" || secret == "" {
		t.Fatalf("no credentials: %s", rotated.body)
	}
	if again := b.get(base + "/settings"); strings.Contains(again.body, secret) || !strings.Contains(again.body, id) {
		t.Error("the secret is shown again, or the client id is not")
	}
	b.post(base+"/rotate", nil).wants(t, "rotate again", 200, "Earlier credentials work until tomorrow")
	b.post(base+"/revoke", url.Values{"client-id": {id}})
	b.get(base+"/settings").wants(t, "settings after revoking", 200, "Revoked", "Works")
	if r := b.post("/connectors/"+string(f.connector)+"/revoke", url.Values{"client-id": {id}}); r.status != 404 {
		t.Errorf("a credential of another connector: %d", r.status)
	}

	b.post(base+"/settings/edit", url.Values{"name": {"EU"}, "interval": {"0.5"}, "version": {"1"}}).wants(t, "a short interval", 400, "from 1 minute to 31 days")
	b.post(base+"/settings/edit", url.Values{"name": {"EU"}, "interval": {"5"}, "version": {"99"}}).wants(t, "an old form", 409, "was changed meanwhile")
	b.post(base+"/pause", url.Values{"paused": {"true"}})
	b.get(base).wants(t, "paused", 200, "Paused", "Resume")
	version := b.get(base+"/settings/edit").field(t, "version")
	if r := b.post(base+"/settings/edit", url.Values{"name": {"EU"}, "interval": {"5"}, "version": {version}, "hosting": {"hosted"}}); r.status != http.StatusSeeOther {
		t.Fatalf("save: %d %s", r.status, r.body)
	}
	b.get(base+"/settings").wants(t, "settings after saving", 200, "EU", "self-hosted", "Every 5 minutes")
	b.post(base+"/pause", url.Values{"paused": {"false"}})

	// A host calls, works on a sync, and fails.
	tasks := rpcstore.New(f.store)
	connector := strings.TrimPrefix(base, "/connectors/")
	f.check(tasks.Hello(t.Context(), f.now, connector, rpc.Hello{Host: "pod-a " + hostile, Connector: rpc.Description{DisplayName: "Perplexity",
		ResourceTypes: []rpc.TypeDescription{{ID: "group", DisplayName: "Group", Capabilities: []rpc.Capability{"sync", "provision"}}}}}))
	b.get(base).wants(t, "the first hello", 200, "Syncing")
	hosts := b.get(base + "/hosts")
	hosts.wants(t, "hosts", 200, "pod-a", "Group", "yes")
	hosts.checkSafe(t, base+"/hosts")
	task, err := rpc.NewTask(connector, rpc.Work{Sync: &rpc.SyncWork{}}, f.now)
	f.check(err)
	f.check(tasks.AddTask(t.Context(), f.now, task))
	host := "pod-a " + hostile
	_, err = tasks.Lease(t.Context(), f.now, rpc.LeaseRequest{Connector: connector, Host: host, Max: 1})
	f.check(err)
	b.get(base+"/log").wants(t, "the log", 200, "sync_full", "Running")
	_, err = tasks.Finish(t.Context(), f.now, rpc.Holder{Connector: connector, Host: host, Task: task.ID}, rpc.Result{Code: 16, Message: "the token is wrong " + hostile})
	f.check(err)
	log := b.get(base + "/log")
	log.wants(t, "the log", 200, "Failed", "the token is wrong")
	log.checkSafe(t, base+"/log")
	b.get(base).wants(t, "the connector", 200, "Error", "Its last sync failed: the token is wrong")
}

// TestHosted follows the installation guide for a hosted connector.
func TestHosted(t *testing.T) {
	f := withPeople(t)
	b := f.as("connectors")
	catalog := b.get("/catalog?search=percipio")
	path := catalog.link(t, "Add")
	b.get(path).wants(t, "the form", 200, "Cloud-hosted", "Self-hosted", "Set up a new Percipio connector")
	r := b.post(path, url.Values{"name": {"Percipio"}, "where": {"new"}, "new-app": {"Percipio"}, "hosting": {"hosted"}})
	if r.status != http.StatusSeeOther {
		t.Fatalf("add: %d %s", r.status, r.body)
	}
	settings := b.get(r.location)
	settings.wants(t, "settings", 200, "Percipio, cloud-hosted", "Edit", "Test")
	edit := b.get(settings.link(t, "Edit"))
	edit.wants(t, "edit", 200, "Organization ID", "API Token", "Course IDs", "Advanced", "Save")
	if strings.Contains(edit.body, "Rotate") {
		t.Error("a hosted connector is offered credentials")
	}
	base := strings.TrimSuffix(r.location, "/settings")
	form := func(more url.Values) url.Values {
		v := url.Values{"name": {"Percipio"}, "interval": {"60"}, "version": {b.get(base+"/settings/edit").field(t, "version")}}
		for k, values := range more {
			v[k] = values
		}
		return v
	}
	save := base + "/settings/edit"
	b.post(save, form(url.Values{"setting.organization-id": {"x"}, "setting.api-token": {"t0ken"}})).wants(t, "a wrong value", 400, "is no UUID", `value="x"`)
	missing := b.post(save, form(url.Values{"setting.organization-id": {"o1"}}))
	missing.wants(t, "no token", 400, "API Token is missing")
	if r := b.post(save, form(url.Values{"setting.organization-id": {"o1"}, "setting.api-token": {"t0ken"}, "setting.limited-courses": {"c1, c2"}, "setting.strict": {"true"}, "setting.other": {"y"}})); r.status != http.StatusSeeOther {
		t.Fatalf("save: %d %s", r.status, r.body)
	}
	again := b.get(save)
	again.wants(t, "edit again", 200, `value="o1"`, `value="c1, c2"`, "checked", "Stored; leave empty to keep it")
	if strings.Contains(again.body, "t0ken") {
		t.Error("the page shows the secret")
	}
	if r := b.post(save, form(url.Values{"setting.organization-id": {"o2"}, "setting.base-url": {"https://evil.example"}})); r.status != 400 || !strings.Contains(r.body, "API Token was not given again") {
		t.Errorf("another address without the secret: %d", r.status)
	}
	if r := b.post(save, form(url.Values{"setting.organization-id": {"o2"}})); r.status != http.StatusSeeOther {
		t.Errorf("without the secret, which is kept: %d %s", r.status, r.body)
	}
	test := b.post(base+"/test", nil)
	test.wants(t, "test", 200, "What the test found", "the token is wrong", "Make a new one.")
	test.checkSafe(t, base+"/test")
	if r := b.post(base+"/sync", nil); r.location != base {
		t.Errorf("sync now: %d", r.status)
	}
	b.post(base+"/pause", url.Values{"paused": {"true"}})
	b.post(base+"/sync", nil).wants(t, "sync while paused", 409, "The connector is paused.")
	b.get(base+"/log").wants(t, "the log", 200)
}

// TestJudge judges held syncs.
func TestJudge(t *testing.T) {
	f := withPeople(t)
	f.now = f.now.Add(time.Hour)
	if s := f.receive(5); s.State != console.SyncHeld {
		t.Fatalf("the sync is %s", s.State)
	}
	base := "/connectors/" + string(f.connector)
	auditor := f.as("auditor")
	page := auditor.get(base)
	page.wants(t, "as an auditor", 200, "is not applied", "Held", "decides")
	if strings.Contains(page.body, "Apply it anyway") {
		t.Error("an auditor is offered to apply it")
	}
	b := f.as("owner")
	page = b.get(base)
	page.wants(t, "as the owner", 200, "Apply it anyway", "Discard it")
	judge := regexp.MustCompile(`action="([^"]+/judge)"`).FindStringSubmatch(page.body)[1]
	b.post(judge, url.Values{"decision": {"apply"}}).wants(t, "no reason", 400, "The reason is missing.")
	if r := b.post(judge, url.Values{"decision": {"discard"}, "why": {"the token was of another tenant"}}); r.location != base {
		t.Fatalf("discard: %d %s", r.status, r.body)
	}
	b.get(base).wants(t, "afterwards", 200, "Discarded", "the token was of another tenant")
	b.post(judge, url.Values{"decision": {"apply"}, "why": {"x"}}).wants(t, "a decision that was made", 409)

	f.now = f.now.Add(time.Hour)
	if s := f.receive(5); s.State != console.SyncHeld {
		t.Fatalf("the sync is %s", s.State)
	}
	b = f.as("owner")
	judge = regexp.MustCompile(`action="([^"]+/judge)"`).FindStringSubmatch(b.get(base).body)[1]
	if r := b.post(judge, url.Values{"decision": {"apply"}, "why": {"we left that team"}}); r.location != base {
		t.Fatalf("apply: %d %s", r.status, r.body)
	}
	due, err := f.store.Claim(t.Context(), f.now, console.DueIngest, "test", time.Minute, 10)
	f.check(err)
	if len(due) != 1 {
		t.Errorf("%d syncs wait to be applied, want 1", len(due))
	}
}

// TestPages goes from an application to why somebody holds something.
func TestPages(t *testing.T) {
	f := withPeople(t)
	b := f.as("owner")
	apps := b.get("/applications")
	apps.wants(t, "applications", 200, "Managed apps", "62") // accounts
	app := b.get(apps.link(t, "Perplexity"))
	app.wants(t, "the application", 200, "owned by owner", "Data from the sync of")
	accounts := b.get(app.link(t, "Accounts"))
	accounts.wants(t, "accounts", 200, "Accounts made outside of SCIM may be missing.", "Role unknown", "Disabled", "ana@example.com")
	next := b.get(app.link(t, "Accounts") + accounts.link(t, "Next page"))
	next.wants(t, "the next page", 200, "User 59")
	if strings.Contains(next.body, "Next page") || strings.Contains(next.body, "ana@example.com") {
		t.Error("the list does not end with its second page")
	}
	eve := b.get(app.link(t, "Accounts") + "?search=eve")
	if n := strings.Count(eve.body, "/accounts/") - strings.Count(eve.body, "/accounts/new"); n != 1 {
		t.Errorf("%d accounts are found, want 1", n)
	}
	b.get(app.link(t, "Accounts")+"?search=U07%40example.com").wants(t, "a search by address", 200, "User 07")
	b.get(app.link(t, "Accounts")+"?filter=disabled").wants(t, "disabled with access", 200, "eve@example.com")
	b.get(app.link(t, "Accounts")+"?filter=role-unknown").wants(t, "role unknown", 200, "ana@example.com")
	b.get(app.link(t, "Accounts")+"?type=service").wants(t, "service accounts", 200, "No account is one of these.")
	b.get(app.link(t, "Accounts")+"?type=user&role=Admin&search=an").wants(t, "users who are Admin", 200, "ana@example.com")
	b.get(app.link(t, "Accounts")+"?role=-&filter=without-owner").wants(t, "without a role and an owner", 200, "User 00")
	b.get(app.link(t, "Accounts")+"?role=Owner").wants(t, "no such role", 400)
	b.get(app.link(t, "Accounts")+"?type=x").wants(t, "no such type", 400)
	b.get(app.link(t, "Accounts")+"?filter=external").wants(t, "external accounts, before anybody named domains", 200, "which domains are the company")
	b.get(app.link(t, "Accounts")+"?filter=x").wants(t, "another filter", 400)
	b.get(app.link(t, "Accounts")+"?after=%25").wants(t, "a damaged place", 400)

	entitlements := b.get(app.link(t, "Entitlements"))
	entitlements.wants(t, "entitlements", 200, "PPLX_Admin member", "Admin", "the identity provider")
	if strings.Contains(entitlements.body, "no effect") {
		t.Error("a group that gives a role has no effect")
	}
	b.get(app.link(t, "Entitlements")+"?filter=admin").wants(t, "admin entitlements", 200, "PPLX_Admin member")
	b.get(app.link(t, "Entitlements")+"?filter=unheld").wants(t, "held by nobody", 200, "No entitlement is one of these.")
	b.get(app.link(t, "Entitlements")+"?search=pplx+mem").wants(t, "a search", 200, "PPLX_Members")
	b.get(app.link(t, "Entitlements")+"?filter=x").wants(t, "another filter", 400)
	holders := b.get(entitlements.link(t, "PPLX_Admin member"))
	holders.wants(t, "holders", 200, "Who holds PPLX_Admin member", "There when first looked", "Seen in the sync")
	account := b.get(holders.link(t, "Ana"))
	account.wants(t, "the account", 200, "Role unknown", "PPLX_Admin member", "there when first looked")
	b.get("/applications/"+string(f.app)+"/accounts/99999").wants(t, "no account", 404)
	b.get("/applications/"+string(f.app)+"/accounts/x").wants(t, "no number", 404)
	b.get("/nothing").wants(t, "no page", 404)
}

func TestText(t *testing.T) {
	for in, out := range map[string]string{"Ana Müller": "Ana Müller", "a\x00b\n": "a\ufffdb\ufffd", "\xff": "\ufffd", "a\u202eb\u200b": "a\ufffdb\ufffd"} {
		if got := text(in); got != out {
			t.Errorf("text(%q) = %q, want %q", in, got, out)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
	for age, want := range map[time.Duration]string{0: "just now", time.Minute: "1 minute ago", 90 * time.Minute: "1 hour ago", 72 * time.Hour: "3 days ago"} {
		if got := ago(noon, noon.Add(-age)); got != want {
			t.Errorf("ago(%v) = %s, want %s", age, got, want)
		}
	}
	for after, want := range map[time.Duration]string{0: "today 12:00", -13 * time.Hour: "yesterday 23:00", 13 * time.Hour: "tomorrow 01:00", -800 * time.Hour: "27 Oct 2026 04:00"} {
		if got := when(noon, noon.Add(after)); got != want {
			t.Errorf("when(%v) = %s, want %s", after, got, want)
		}
	}
}
