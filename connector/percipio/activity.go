package percipio

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/connector/percipio/api"
)

// maxStatuses limits how many unknown statuses are counted by name.
const maxStatuses = 8

// slugOf maps the status of a row to an entitlement. An unknown status grants nothing.
func slugOf(status string) (slug string, known bool) {
	var buf [16]byte
	switch string(lower(buf[:0], strings.TrimSpace(status))) {
	case "completed", "achieved", "listened", "read", "watched":
		return completedSlug, true
	case "started", "active":
		return inProgressSlug, true
	case "abandoned":
		return "", true
	}
	return "", false
}

// lower appends a text in lower case.
func lower(dst []byte, s string) []byte {
	for i := range len(s) {
		b := s[i]
		if b >= utf8.RuneSelf {
			return append(dst[:0], strings.ToLower(s)...)
		}
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}

// reportNames maps the kinds of content in the catalogue to their names in reports.
func reportNames() map[string]string {
	return map[string]string{
		"ASSESSMENT":        "Assessment",
		"AUDIOBOOK":         "AudioBook",
		"AUDIO_SUMMARY":     "Audio Summary",
		"BOOK":              "Book",
		"BOOK_SUMMARY":      "Book Summary",
		"CHANNEL":           "Channel",
		"COURSE":            "Course",
		"LINKED_CONTENT":    "Linked Content",
		"SCHEDULED_CONTENT": "Scheduled Content",
		"VIDEO":             "Video",
	}
}

func knownContentTypes() []string { return slices.Sorted(maps.Keys(reportNames())) }

// addRow writes the grant of a row. The syncer drops it if the account or the course does not exist. addRow
// reuses metadata from row to row.
func (c *connector) addRow(page baton.Page, cur *reportCursor, row api.Row, metadata baton.Profile) {
	slug, known := slugOf(row.Status)
	switch {
	case row.UserID == "" || row.ContentID == "":
		page.Exclude("activity without an account or a course", strings.TrimSpace(row.UserID+" "+row.ContentID))
	case len(c.limited) > 0 && !c.isLimited(row.ContentID):
		page.Exclude("activity in a course that is not among the limited ones", row.UserID+" in "+row.ContentID)
	case !known:
		page.Exclude(cur.unknown(row.Status), row.UserID+" in "+row.ContentID)
	case slug == "":
		page.Exclude("activity that was abandoned", row.UserID+" in "+row.ContentID)
	default:
		page.Grant(grantOf(row, slug, metadata))
	}
}

func grantOf(row api.Row, slug string, metadata baton.Profile) baton.Grant {
	g := baton.Grant{
		ID: baton.GrantID{
			Entitlement: baton.EntitlementID{Resource: courseResource(row.ContentID), Slug: slug},
			Principal:   userResource(row.UserID),
		},
		ResourceName: row.ContentTitle,
	}
	if slug == completedSlug {
		if date := api.Date(row.CompletedDate); date != "" {
			metadata["completed_date"] = date
			g.Metadata = metadata
		}
	}
	return g
}

// unknown returns the reason for excluding rows with an unknown status. It names the first
// few statuses. The cursor stores them, so that memory is bounded and a resumed sync counts
// the same.
func (cur *reportCursor) unknown(status string) string {
	status = strings.Join(strings.Fields(strings.ToValidUTF8(status, "?")), " ")
	if runes := []rune(status); len(runes) > 40 {
		status = string(runes[:40])
	}
	if !slices.Contains(cur.Unknown, status) {
		if len(cur.Unknown) == maxStatuses {
			return "activity with other unknown statuses"
		}
		cur.Unknown = append(slices.Clone(cur.Unknown), status)
	}
	return fmt.Sprintf("activity with the unknown status %q", status)
}
