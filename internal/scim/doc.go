// Package scim has the parts of SCIM 2.0 that every server needs: objects with case-insensitive names,
// filters, and the operations of PATCH (RFC 7643 and RFC 7644), also in the dialects of Okta and Entra.
package scim
