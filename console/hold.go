package console

import (
	"fmt"
	"slices"
	"strings"
)

// Hold is a reason not to apply a sync.
type Hold struct {
	Kind   HoldKind `json:"kind"`
	Type   string   `json:"type,omitempty"` // resource type
	Before int64    `json:"before"`
	After  int64    `json:"after"`
	Detail string   `json:"detail"` // for display
}

// HoldKind is the kind of a hold.
type HoldKind string

const (
	HoldShrink   HoldKind = "shrink"   // many rows of a type are missing
	HoldVanished HoldKind = "vanished" // no row of a type is left
	HoldReplaced HoldKind = "replaced" // fewer than OverlapPercent of the accounts are the same
	HoldAdmins   HoldKind = "admins"   // fewer administrators than the minimum
	HoldDangling HoldKind = "dangling" // too many grants of unknown principals
	HoldRestored HoldKind = "restored" // the first sync after the console was restored or copied
	HoldMissing  HoldKind = "missing"  // the file holds far fewer rows than its writer stated
	HoldUpload   HoldKind = "upload"   // the file was uploaded although the connector syncs by itself
)

// HoldPolicy sets the limits of [Holds].
type HoldPolicy struct {
	ShrinkPercent   int   // a type may lose this share of its rows
	MinRows         int64 // types that had fewer rows are not checked for lost shares
	OverlapPercent  int   // at least this share of the accounts must remain
	DanglingPercent int   // this share of the grants may dangle, and of the stated rows may be missing
}

var DefaultHoldPolicy = HoldPolicy{ShrinkPercent: 30, MinRows: 10, OverlapPercent: 50, DanglingPercent: 10}

// SyncView holds the figures that [Holds] compares: those of the head, if there is one, and those of
// the new sync.
type SyncView struct {
	First        bool             // the connector has no applied sync
	Before       map[string]int64 // rows by resource type, and facts under "grants"
	After        map[string]int64
	Removed      int64 // grants of the head that the console itself has removed since, as far as it knows
	AccountsHead int64 // accounts in the head
	AccountsKept int64 // of these, accounts in the sync
	Grants       int64 // rows read, dangling ones included
	Dangling     int64
	Example      string // one of the dangling grants
	Stated       int64  // rows that the file's writer stated; 0 if it stated none
	Missing      int64  // stated rows that are not in the file
	Restored     bool   // the console was restored or copied after the head was applied
	AdminsBefore int
	AdminsAfter  int
	Minimum      int // 0: no minimum
	// UploadBeside means that a person uploaded the file although the connector syncs by itself.
	UploadBeside bool
}

// Holds returns the reasons not to apply a full sync; nil if there are none. The first sync of a
// connector is held only for dangling grants and missing rows: there is nothing to compare it with,
// and too few administrators are a finding, not a mistake of the sync.
func Holds(v SyncView, p HoldPolicy) []Hold {
	var holds []Hold
	if v.Restored {
		holds = append(holds, Hold{HoldRestored, "", v.Before["grants"], v.After["grants"],
			fmt.Sprintf("This console was restored or copied, and this is the first sync since: it has %d grants, and what was restored shows %d. Compare the two.", v.After["grants"], v.Before["grants"])})
	}
	for _, t := range sortedKeys(v.Before) {
		before, after := v.Before[t], v.After[t]
		if t == "grants" {
			before -= min(before, v.Removed) // they are expected to be gone
		}
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

// CheckConfirm refuses that the person who uploaded a file confirms its sync, if the sync is held
// because it was uploaded. canonical maps a person to the one it was merged into.
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
