package perplexity

import (
	"strconv"
	"strings"
	"unicode"

	"baton"
)

// Package scim alone decides whether something is shown, gone or unknown. This file has the
// only NotFound errors of this package: they are for what scim.LookUpUser or scim.LookUpGroup
// proved gone.

// gone returns the error for something that was asked for and that the upstream does not have.
func gone(noun, id string) *baton.Error {
	return baton.Errorf(baton.NotFound, "SCIM has no %s with the id %q: the list of %ss is complete without it", noun, id, noun).
		WithFix("Check the id. A sync lists what there is.")
}

// idText writes an id for a message: as it is, or quoted if it has characters that cannot be
// seen.
func idText(id string) string {
	if strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return strconv.Quote(id)
	}
	return id
}
