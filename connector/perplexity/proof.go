package perplexity

import (
	"strconv"
	"strings"
	"unicode"

	"baton"
)

// Package scim alone decides whether an object is shown, gone or unknown. This file has the only NotFound
// errors of this package, for objects that scim.LookUpUser or scim.LookUpGroup proved gone.

// gone returns the error for a requested object that the upstream does not have.
func gone(noun, id string) *baton.Error {
	return baton.Errorf(baton.NotFound, "SCIM has no %s with the id %q: the list of %ss is complete without it", noun, id, noun).
		WithFix("Check the id. A sync lists what there is.")
}

// idText formats an id for a message: unchanged, or quoted if it has invisible characters.
func idText(id string) string {
	if strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return strconv.Quote(id)
	}
	return id
}
