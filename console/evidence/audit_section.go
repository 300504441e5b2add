package evidence

import (
	"slices"
	"strings"
)

// AuditSection is a part of the records of an audit report.
type AuditSection struct {
	Name  string
	Kinds []string // of events; "policy.*" is all of policies
}

// AuditSections lists the sections of records. An event belongs to the first section with its kind.
var AuditSections = []AuditSection{
	{"decisions", []string{"request.decided", "request.reviewed", "review.submitted", "amendment.*"}},
	{"matches", []string{"account.owner-changed", "account.type-changed", "person.merged"}},
	{"denials", []string{"call.denied", "operation.denied", "login.refused"}},
	{"policies", []string{"policy.*", "request-settings.changed", "requirement.changed", "app.roles-changed", "delegation.changed", "automation.published", "retention.changed"}},
	{"exceptions", []string{"exemption.*", "finding.accepted", "finding.snoozed", "finding.reopened", "finding.returned", "bar.lifted", "sync.confirmed", "change.explained", "campaign.preparing",
		"request.review-due", "requirement.confirmed", "incompatible.*"}},
	{"console", []string{"person.roles-changed", "person.roles-kept", "login.break-glass", "client.added", "client.revoked", "provider.*", "scim.source-added", "scim.source-removed", "scim.token-added",
		"scim.token-revoked", "scim.group-role-changed", "keys.rotated", "setting.changed", "console.*"}},
}

// SectionOf returns the section of the records to which a kind of events belongs; "" for none.
func SectionOf(kind string) string {
	noun, _, _ := strings.Cut(kind, ".")
	for _, s := range AuditSections {
		if slices.Contains(s.Kinds, kind) || slices.Contains(s.Kinds, noun+".*") {
			return s.Name
		}
	}
	return ""
}
