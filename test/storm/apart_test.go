package storm

// Reasons why a fault does not affect an operation.
const (
	ofWrites  = "it is about writes, and a sync writes nothing"
	ofFilters = "it is about filters, and a sync filters nothing"
	ofDefault = "it is the default, spelt out"
)

// notOfSyncs holds the faults that do not affect a sync, with the reason.
var notOfSyncs = map[string]string{
	"body-limit":                ofWrites,
	"drop-member-on-add":        ofWrites,
	"remove-wipes-all":          ofWrites,
	"remove-collateral":         ofWrites,
	"duplicate-add-409":         ofWrites,
	"absent-remove-404":         ofWrites,
	"absent-remove-412":         ofWrites,
	"patch-204":                 ofWrites,
	"patch-200-empty":           ofWrites,
	"patch-202":                 ofWrites,
	"patch-ignored":             ofWrites,
	"patch-unsupported":         ofWrites,
	"patch-no-filter":           ofWrites,
	"patch-no-path":             ofWrites,
	"create-empty":              ofWrites,
	"error-after-work":          ofWrites,
	"duplicate-delivery":        ofWrites,
	"held-row-on-reject":        ofWrites,
	"conflict-without-scimtype": ofWrites,
	"conflict-by-email":         ofWrites,
	"deactivated-loses-groups":  ofWrites,
	"unverified-domain":         ofWrites,
	"seats-full":                ofWrites,
	"foreign-404-writes":        ofWrites,
	"any-member":                ofWrites,
	"create-other":              ofWrites,
	"create-other-id":           ofWrites,
	"create-ignored-body":       ofWrites,
	"create-suffix":             ofWrites,
	"create-lower-case":         ofWrites,
	"create-id-only":            ofWrites,
	"create-200":                ofWrites,
	"borrowed-address":          ofFilters,
	"look-alike":                ofFilters,
	"filter-unsupported":        ofFilters,
	"filter-ignored":            ofFilters,
	"filter-case-sensitive":     ofFilters,
	"soft-delete-on":            ofDefault,
	"deactivated-keeps-groups":  ofDefault,
	"no-provider-config":        "a sync asks for the limits only if a page is refused",
	"max-over-1000-is-400":      "no more than 1000 rows are asked for",
}

// notOfChanges holds the faults that do not affect a change, with the reason.
var notOfChanges = map[string]string{
	"any-member":               "no change writes an id that no account has; the storm asks for that all the same",
	"member-first":             "it decides what Perplexity makes of groups, and not what SCIM answers",
	"soft-delete-on":           ofDefault,
	"deactivated-keeps-groups": ofDefault,
}
