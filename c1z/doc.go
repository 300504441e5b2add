// Package c1z reads sync.c1z files, in which Baton connectors keep what they found in an
// application: its resources (accounts, groups, roles), the entitlements on them and who
// holds which. It reads files of any connector, of the connectors of this module and of
// others. Package writer, beside this one, writes them.
//
// # Reading
//
// [Open] unpacks a file into a scratch file. A file holds one sync or several, which
// [File.Syncs] lists; [File.Latest] is the one that a reader usually wants. A [Sync] has
// iterators over its rows. They hold one row at a time, may be nested, and end with the first
// error, which is a [baton.Error] of a kind that says what is wrong:
//
//	f, err := c1z.Open(ctx, "sync.c1z")
//	...
//	defer f.Close()
//	sync, err := f.Latest()
//	...
//	for g, err := range sync.Grants(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(g.Principal, g.Entitlement)
//	}
//
// [CompareResources], [CompareEntitlements] and [CompareGrants] find what differs between two
// syncs of one file or of two. Package facts prints a sync as lines that can be compared.
//
// A file may be anybody's. What it unpacks to is bounded, its b-trees are checked for cycles
// and shared branches before SQLite reads them, and a value has at most 256 MiB.
//
// # Identities
//
// Ids of entitlements and grants are opaque. Many connectors join them from their parts
// ("group:g1:member", "group:g1:member:user:u1"), and others use ids of their own, such as
// "custom-ent-id". The resource and the principal are in fields of their own.
//
// Messages of grants may be slim: some releases leave out of the message what the columns
// of the row say. Rows are complete here in either case.
//
// # Format
//
// Version 1 is the one that is read and written here:
//
//	byte 0      5                                                            end
//	     ┌──────┬─────────────────────────────────────────────────────────────┐
//	     │C1ZF\0│ zstd                                                         │
//	     └──────┴──────────────────────────────┬──────────────────────────────┘
//	                                           ▼
//	     a SQLite main database file
//	     v1_sync_runs        one row per sync: id, times, type, counts
//	     v1_resource_types   ┐
//	     v1_resources        │ one row each: the identity as columns, the whole as a protobuf
//	     v1_entitlements     │ message in the column data, and the sync it was seen in
//	     v1_grants           ┘
//	     v1_assets, v1_connector_sessions    not read here
//
// Tables but the first, columns and indexes that older releases did not have may be missing,
// and there may be more of them. Times are UTC text, "2006-01-02 15:04:05.999999999" with
// trailing zeros left out. Sync ids are KSUIDs.
//
// Version 3 ("C1Z3\0") holds a database of another storage engine, Pebble. Opening one is an
// [EngineError].
package c1z
