// Package c1z reads and writes sync.c1z, the file that holds what a connector
// found.
//
// # Layout
//
//	byte 0      5                                                            end
//	     ┌──────┬─────────────────────────────────────────────────────────────┐
//	     │C1ZF\0│ one zstd frame (window of 1 MiB, content size, checksum)     │
//	     └──────┴──────────────────────────────┬──────────────────────────────┘
//	                                           ▼
//	     a SQLite main database file: pages of 4096 bytes, UTF-8, rollback journal
//	     v1_sync_runs        one row per sync: id, times, type, counts
//	     v1_resource_types   ┐
//	     v1_resources        │ one row per thing: its identity as columns, the whole
//	     v1_entitlements     │ of it as a protobuf message in data, the sync it was
//	     v1_grants           ┘ seen in
//	     v1_assets, v1_connector_sessions    always there; this project leaves them empty
//
// A row is known by its external id: a resource type's id; "type:id" of a resource;
// "type:id:slug" of an entitlement; "type:id:slug:principaltype:principalid" of a
// grant. It is unique within a sync. Identity columns of a grant are those of the
// entitlement's resource, the entitlement and the principal. Two index names of
// v1_resources are swapped in the format, and so they are here.
//
// Times are UTC text, "2006-01-02 15:04:05.999999999" with trailing zeros left out.
// Sync ids are KSUIDs.
//
// Rows are in the order of their external ids; those with the same id in several syncs
// lie side by side, in the order of the syncs' ids.
//
// # Writing
//
//	Add ─▶ sorted ─▶ settled (order.go, grants.go, settle.go)
//	                    │        previous syncs (previous.go)
//	                    ├─ facts.go   │
//	                    ▼             ▼
//	                  side by side: compared, laid out (lay.go, layout.go)
//	                    │
//	                    ▼ pages
//	                  compressed into the new file (frame.go, checksum.go) ─▶ renamed
//
// A [Writer] publishes with one rename, together with the newest full syncs of the file
// that was there before. Until then the file at the path is not touched, whatever goes
// wrong. A left-over ".tmp" beside it is harmless, and the next writer replaces it.
//
// # Reading
//
// [Open] unpacks a file into a scratch database, within limits, and never changes
// the file. Tables and columns that older writers did not have are not missed.
package c1z
