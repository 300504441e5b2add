// Package writer writes sync.c1z files, which package c1z reads.
//
// # Rows
//
// A row is known by its external id: a resource type's id; "type:id" of a resource;
// "type:id:slug" of an entitlement; "type:id:slug:principaltype:principalid" of a grant. Rows
// are in the order of their external ids. Those with the same id in several syncs are next to
// each other, in the order of the syncs' ids. Two index names of v1_resources are swapped in
// the format, and so they are here.
//
// # Writing
//
//	Add ─▶ sorted (order.go, grants.go, sort.go)
//	          │        syncs of the previous file (previous.go)
//	          ├─ review.go  │
//	          ▼             ▼
//	       merged by external id: compared, laid out (lay.go, layout.go)
//	          │
//	          ▼ pages
//	       compressed into the new file (frame.go, checksum.go) ─▶ renamed
//
// A [Writer] publishes with one rename, together with the newest full syncs of the previous
// file. Until then the file at the path is not touched, whatever goes wrong. A left-over
// ".tmp" beside it is harmless, and the next Writer replaces it.
package writer
