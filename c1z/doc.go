// Package c1z reads sync.c1z files. A Baton connector writes into such a file what it found in an
// application: resources (accounts, groups, roles), entitlements on them, and grants of these.
// The package reads the files of any connector. Package writer writes files.
//
// # Reading
//
// [Open] unpacks a file into a scratch file. A file holds one or more syncs, which [File.Syncs]
// lists. Most readers want [File.Latest]. A [Sync] has iterators over its rows. They hold one row
// at a time, may be nested, and end with the first error, which is a [baton.Error]:
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
// [CompareResources], [CompareEntitlements] and [CompareGrants] find the differences between two
// syncs of the same file or of two files. Package facts prints a sync as lines of text that can be
// compared.
//
// Files are not trusted. The unpacked size is limited, b-trees are checked for cycles and shared
// branches before SQLite reads them, and a value has at most 256 MiB.
//
// # Identities
//
// Ids of entitlements and grants are opaque. Many connectors build them from their parts
// ("group:g1:member", "group:g1:member:user:u1"), others use ids such as "custom-ent-id". Resource
// and principal have fields of their own.
//
// Some releases write slim grants: the message leaves out what the columns of the row contain.
// This package completes them.
//
// # Format
//
// Version 1 is read and written here:
//
//	byte 0      5                                                            end
//	     ┌──────┬─────────────────────────────────────────────────────────────┐
//	     │C1ZF\0│ zstd                                                         │
//	     └──────┴──────────────────────────────┬──────────────────────────────┘
//	                                           ▼
//	     a SQLite main database file
//	     v1_sync_runs        one row per sync: id, times, type, counts
//	     v1_resource_types   ┐
//	     v1_resources        │ a row per object: its ids as columns, all of it as a protobuf
//	     v1_entitlements     │ message in the column data, and the id of the sync
//	     v1_grants           ┘
//	     v1_assets, v1_connector_sessions    not read here
//
// All tables except v1_sync_runs may be missing, and so may columns and indexes that older
// releases do not have. There may be additional ones. Times are text in UTC,
// "2006-01-02 15:04:05.999999999" without trailing zeros. Sync ids are KSUIDs.
//
// Version 3 ("C1Z3\0") holds a database of another storage engine, Pebble. [Open] returns an
// [EngineError] for it.
package c1z
