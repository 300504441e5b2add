// Package api serves the console's REST interface. A call asks package govern and writes the
// answer; it decides nothing itself.
//
// The calls under /api/v1 that official clients make have the paths, messages and conventions
// of their platform: every success is status 200 with a JSON object that has all of its
// fields, 64-bit integers as strings, times as in RFC 3339, and pages with a nextPageToken;
// every error is a google.rpc.Status. The console's own resources follow the same
// conventions. routes.go lists all of them.
package api
