// Package writer writes sync.c1z files, which package c1z reads.
//
// # Rows
//
// The external id identifies a row within a sync: the id of a resource type; "type:id" for a
// resource; "type:id:slug" for an entitlement; "type:id:slug:principaltype:principalid" for a
// grant. Tables hold their rows in the order of external ids. Rows of several syncs with the
// same external id are adjacent, in the order of the syncs' ids. The format swaps the names of
// two indexes of v1_resources, and so does this package.
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
