// Package api serves the console's REST interface. It returns what package govern answers and makes
// no decisions of its own.
//
// The calls under /api/v1 that official clients make have the paths, messages and conventions of
// their platform: a success has status 200 and a JSON object with all of its fields, 64-bit integers
// are strings, times are in RFC 3339, and pages have a nextPageToken; an error is a
// google.rpc.Status. The console's own resources follow the same conventions. routes.go lists all
// calls.
package api
