// Package store keeps the state of the console in a database: SQLite on one machine,
// PostgreSQL for several replicas. Package sqlite and package postgres open a [Store].
//
// # Transactions
//
// [Store.View] runs a function in one snapshot. [Store.Update] runs one command: it takes
// who does what and when ([console.By]), and commits the changed rows together with their
// events. The verbs are methods of [Tx], so a command reads, applies rules of package
// console and writes in one transaction. Verbs that change state append the event
// themselves. Time is always a parameter.
//
// Errors have a kind of package baton: NotFound for a row that does not exist,
// AlreadyExists for one that does, Refused when a rule or the state of a row forbids the
// change, Invalid for wrong values. After an error nothing has changed.
//
// # Files
//
// Each noun has its verbs and statements in a file of its name, as in package console:
//
//	person.go     person, person_email, person_role, person_status
//	app.go        app, app_owner, role_map
//	connector.go  connector, connector_owner
//	sync.go       sync, head
//	staging.go    staged: how an ingest writes the rows of a sync
//	resource.go   resource, resource_version, volatile, lookup
//	account.go    account_owner, account_kind; accounts are resources of a type with the user trait
//	entitlement.go  entitlement, entitlement_version
//	fact.go       fact, fact_by_principal, source_set
//	difference.go the difference of two syncs; changed.go has changed and explanation: what
//	              each sync changed, and why
//	past.go       what the rows of an access said at a time
//	reason.go     reason
//	bar.go        bar
//	operation.go  operation
//	requirement.go  requirement, requirement_need, exemption, requirement_evidence,
//	              requirement_lack; requirement_status.go judges people by them
//	request.go    request, request_asked, request_entry; policy.go has policy_version,
//	              request_setting, amendment, delegation
//	access.go     facts, reasons and operations of one access, joined
//	admins.go     what the minimum of admins is judged by
//	finding.go    finding, finding_seen; finding_look.go finding_looked: what needs somebody
//	recovery.go   recovery_card, recovery_copy: what the recovery cards say, and who keeps a copy
//	event.go      event, chain; verify.go checks the chain; audit_reader.go has audit_reader
//	scim.go       scim_source, scim_token; scim_user.go has scim_user and scim_address,
//	              scim_group.go scim_group and scim_member
//	due.go        due: rows that wait for a time
//	seal.go       secret: values sealed with a key outside the database
//	file.go       file, file_chunk, file_keep: raw files
//	setting.go    setting
//
// The schema is in sqlite/migrations and postgres/migrations. Statements are written once,
// in the form that package internal/engine describes.
package store
