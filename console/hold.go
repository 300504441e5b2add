package console

import (
	"fmt"
	"slices"
	"strings"
)

// Hold is one thing that keeps a sync from being applied.
type Hold struct {
	Kind   HoldKind `json:"kind"`
	Type   string   `json:"type,omitempty"` // resource type
	Before int64    `json:"before"`
	After  int64    `json:"after"`
	Detail string   `json:"detail"` // for people
}

// HoldKind says what is wrong with a sync.
type HoldKind string

// The kinds of holds.
const (
	HoldShrink   HoldKind = "shrink"   // much fewer rows of a type
	HoldVanished HoldKind = "vanished" // no row left of a type
	HoldReplaced HoldKind = "replaced" // less than half of the accounts are the same
	HoldAdmins   HoldKind = "admins"   // fewer admins than the minimum
	HoldDangling HoldKind = "dangling" // too many grants of unknown principals
	HoldRestored HoldKind = "restored" // the first sync after the console was restored or copied
	HoldMissing  HoldKind = "missing"  // the file holds much fewer rows than its writer stated
	HoldUpload   HoldKind = "upload"   // a person uploaded the file beside a connector that syncs by itself
)

// HoldPolicy sets the limits of [Holds].
type HoldPolicy struct {
	ShrinkPercent   int   // holds when a type loses more than this share of its rows
	MinRows         int64 // types with fewer rows before are not judged by shares
	OverlapPercent  int   // holds when fewer than this share of the accounts remain
	DanglingPercent int   // holds when more than this share of the grants dangle, or of the stated rows is missing
}

// DefaultHoldPolicy is used unless an app's owner sets another.
var DefaultHoldPolicy = HoldPolicy{ShrinkPercent: 30, MinRows: 10, OverlapPercent: 50, DanglingPercent: 10}

// SyncView holds the figures that [Holds] compares: those of the head, if there is one, and
// those of a sync.
type SyncView struct {
	First        bool             // the connector has no applied sync
	Before       map[string]int64 // rows by resource type, and facts under "grants"
	After        map[string]int64
	AccountsHead int64 // accounts that the head shows
	AccountsKept int64 // of these, the ones that the sync shows too
	Grants       int64 // rows read, dangling ones included
	Dangling     int64
	Example      string // one of the dangling grants
	Stated       int64  // rows that the file's writer stated; 0 when it stated none
	Missing      int64  // of these, the ones that the file does not hold
	Restored     bool   // the console was restored or copied after the head was applied
	AdminsBefore int
	AdminsAfter  int
	Minimum      int // 0 when no minimum is set
	// UploadBeside says that a person uploaded the file although the connector syncs by itself.
	UploadBeside bool
}

// Holds returns everything that keeps a full sync from being applied; nil if nothing does.
// The first sync of a connector is held only for dangling grants and missing rows: there is
// nothing to compare with, and too few admins are a finding.
func Holds(v SyncView, p HoldPolicy) []Hold {
	var holds []Hold
	if v.Restored {
		holds = append(holds, Hold{HoldRestored, "", v.Before["grants"], v.After["grants"],
			fmt.Sprintf("This console was restored or copied, and this is the first sync since: it has %d grants, and what was restored shows %d. Compare the two.", v.After["grants"], v.Before["grants"])})
	}
	for _, t := range sortedKeys(v.Before) {
		before, after := v.Before[t], v.After[t]
		switch {
		case before > 0 && after == 0:
			holds = append(holds, Hold{HoldVanished, t, before, after, fmt.Sprintf("The previous sync had %d of type %q; this one has none.", before, t)})
		case before >= p.MinRows && (before-after)*100 > before*int64(p.ShrinkPercent):
			holds = append(holds, Hold{HoldShrink, t, before, after, fmt.Sprintf("The previous sync had %d of type %q; this one has %d.", before, t, after)})
		}
	}
	if !v.First && v.AccountsHead > 0 && v.AccountsKept*100 < v.AccountsHead*int64(p.OverlapPercent) {
		holds = append(holds, Hold{HoldReplaced, "", v.AccountsHead, v.AccountsKept,
			fmt.Sprintf("Only %d of %d accounts are still there under the same id. The connector may read another tenant.", v.AccountsKept, v.AccountsHead)})
	}
	if !v.First && v.AdminsAfter < v.Minimum && v.AdminsAfter < v.AdminsBefore {
		holds = append(holds, Hold{HoldAdmins, "", int64(v.AdminsBefore), int64(v.AdminsAfter),
			fmt.Sprintf("It leaves %d administrators; the minimum is %d.", v.AdminsAfter, v.Minimum)})
	}
	if v.Dangling*100 > v.Grants*int64(p.DanglingPercent) && v.Dangling >= p.MinRows {
		holds = append(holds, Hold{HoldDangling, "", v.Grants, v.Grants - v.Dangling,
			fmt.Sprintf("%d of %d grants name a principal or an entitlement that the sync does not contain, for example %s.", v.Dangling, v.Grants, v.Example)})
	}
	if v.Missing*100 > v.Stated*int64(p.DanglingPercent) && v.Missing >= p.MinRows {
		holds = append(holds, Hold{HoldMissing, "", v.Stated, v.Stated - v.Missing,
			fmt.Sprintf("The connector stated %d rows; the file has %d fewer.", v.Stated, v.Missing)})
	}
	if v.UploadBeside {
		holds = append(holds, Hold{Kind: HoldUpload, Detail: "A person uploaded this file beside a connector that syncs by itself. A second person must confirm it."})
	}
	return holds
}

// CheckConfirm refuses that somebody confirms a sync whose file the same person uploaded, if
// it is held for that. canonical maps a person to the one it was merged into.
func CheckConfirm(s Sync, uploader, confirmer ID, canonical func(ID) ID) error {
	for _, h := range s.Holds {
		if h.Kind == HoldUpload && canonical(uploader) == canonical(confirmer) {
			return refuse(GuardSelf, "Let another person confirm it.", "nobody confirms a file that they uploaded themselves")
		}
	}
	return nil
}

func sortedKeys(m map[string]int64) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
