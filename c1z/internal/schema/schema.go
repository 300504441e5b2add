// Package schema declares the tables of the database in a version 1 file.
package schema

import "time"

// Names of the tables.
const (
	SyncRuns      = "v1_sync_runs"
	ResourceTypes = "v1_resource_types"
	Resources     = "v1_resources"
	Entitlements  = "v1_entitlements"
	Grants        = "v1_grants"
	Assets        = "v1_assets"
)

// Tables holds the CREATE TABLE statements. The order of columns is part of the format, for
// readers that dump tables. The default of a column is its value in rows of a writer that does
// not know the column.
var Tables = []string{
	`create table v1_resource_types (
  id integer primary key,
  external_id text not null,
  data blob not null,
  sync_id text not null,
  discovered_at datetime not null
)`,
	`create table v1_resources (
  id integer primary key,
  resource_type_id text not null,
  external_id text not null,
  parent_resource_type_id text,
  parent_resource_id text,
  data blob not null,
  sync_id text not null,
  discovered_at datetime not null
)`,
	`create table v1_entitlements (
  id integer primary key,
  resource_type_id text not null,
  resource_id text not null,
  external_id text not null,
  data blob not null,
  sync_id text not null,
  discovered_at datetime not null
)`,
	`create table v1_sync_runs (
  id integer primary key,
  sync_id text not null,
  started_at datetime not null,
  ended_at datetime,
  sync_token text not null,
  sync_type text not null default 'full',
  parent_sync_id text not null default '',
  linked_sync_id text not null default '',
  supports_diff integer not null default 0,
  grants_backfilled integer not null default 0,
  stats text,
  ingest_invariant_generation text not null default '',
  ingest_invariant_coverage text not null default '',
  ingest_invariant_mode text not null default ''
)`,
	`create table v1_grants (
  id integer primary key,
  resource_type_id text not null,
  resource_id text not null,
  entitlement_id text not null,
  principal_resource_type_id text not null,
  principal_resource_id text not null,
  external_id text not null,
  expansion blob,
  needs_expansion integer not null default 0,
  data blob not null,
  sync_id text not null,
  discovered_at datetime not null
)`,
	`create table v1_assets (
  id integer primary key,
  external_id text not null,
  content_type text not null,
  data blob not null,
  sync_id text not null,
  discovered_at datetime not null
)`,
	`create table v1_connector_sessions (
  id integer primary key,
  sync_id text not null,
  key text not null,
  value blob not null
)`,
}

// Indexes holds the CREATE INDEX statements. Official readers create missing indexes each time they
// open a file.
var Indexes = []string{
	`create unique index idx_resource_types_external_sync_v1 on v1_resource_types (external_id, sync_id)`,
	`create unique index idx_resources_parent_resource_id_v1 on v1_resources (external_id, sync_id)`,
	`create unique index idx_entitlements_external_sync_v1 on v1_entitlements (external_id, sync_id)`,
	`create unique index idx_grants_external_sync_v1 on v1_grants (external_id, sync_id)`,
	`create unique index idx_sync_runs_sync_id_v1 on v1_sync_runs (sync_id)`,
	`create unique index idx_assets_external_sync_v1 on v1_assets (external_id, sync_id)`,
	`create unique index idx_session_store_sync_key_v1 on v1_connector_sessions (sync_id, key)`,
	`create index idx_resources_resource_type_id_v1 on v1_resources (resource_type_id)`,
	`create index idx_resources_external_sync_v1 on v1_resources (parent_resource_type_id, parent_resource_id)`,
	`create index idx_entitlements_resource_id_v1 on v1_entitlements (resource_type_id, resource_id)`,
	`create index idx_grants_resource_type_id_resource_id_v1 on v1_grants (resource_type_id, resource_id)`,
	`create index idx_grants_principal_id_v1 on v1_grants (principal_resource_type_id, principal_resource_id)`,
	`create index idx_grants_entitlement_id_principal_id_v1 on v1_grants (entitlement_id, principal_resource_type_id, principal_resource_id)`,
	`create index idx_grants_entitlement_sync_grant_v1 on v1_grants (entitlement_id, sync_id, id)`,
	`create index idx_grants_sync_expansion_v1 on v1_grants (sync_id) where expansion is not null`,
	`create index idx_grants_sync_needs_expansion_v1 on v1_grants (sync_id) where needs_expansion = 1`,
}

// TimeFormat is the layout of stored times, which are in UTC.
const TimeFormat = "2006-01-02 15:04:05.999999999"

// FormatTime formats a time as the database stores it.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeFormat) }
