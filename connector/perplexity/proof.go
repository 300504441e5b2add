package perplexity

import (
	"baton"
)

// Package scim alone decides whether something is shown, gone or unknown. This file has the
// only NotFound errors of this package: they are for what scim.LookUser or scim.LookGroup
// proved gone.

// gone is the error for something that was asked for and that the upstream does not have.
func gone(noun, id string) *baton.Error {
	return baton.Errorf(baton.NotFound, "SCIM shows no %s with the id %q, and its list, which is complete, does not have it", noun, id).
		WithFix("Check the id. A sync lists what there is.")
}
