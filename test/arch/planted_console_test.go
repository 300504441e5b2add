package arch

// consolePlants holds defects in the rules of the console that decide about access, and in what keeps
// them from being decided twice or not at all.
var consolePlants = []plant{
	{"console: a sync from before the answer proves an operation", "console/verify.go", "case o.Finished.IsZero() || !s.Dispatched.After(o.Finished):", "case o.Finished.IsZero():", "./console", "TestVerify"},
	{"console: what a connector says is believed", "console/verify.go", "			return NoEvidence\n		}\n		return Contradicts\n", "			return NoEvidence\n		}\n		return Verifies\n", "./console/worker", "TestUndone"},
	{"console: a sync right after a change contradicts it", "console/verify.go", "o.Finished.Add(SettleTime)", "o.Finished", "./console/worker", "TestStaleRead"},
	{"console: an uploaded file proves an operation", "console/verify.go", "s.Kind == SyncUpload || ", "", "./console", "TestVerify"},
	{"console: a delegate decides about the access of the one who delegates", "console/guard.go", "[]ID{d.Actor, d.OnBehalfOf}", "[]ID{d.Actor}", "./console", "TestNobodyDecidesForThemselves"},
	{"console: people who were merged decide about themselves", "console/guard.go", "switch who = canonical(who); {", "switch {", "./console", "TestNobodyDecidesForThemselves"},
	{"console: removals on their way are not subtracted", "console/admins.go", "all := append(slices.Clone(a.InFlight), changes...)", "all := slices.Clone(changes)", "./console", "TestCountAfterChanges"},
	{"console: one person confirms an exception twice", "console/guard.go", " && o.First != o.Second", "", "./console", "TestGuardsOnEveryPath"},
	{"console: what is missing removes access", "console/guard.go", "if removes && p.Cause.Evidence == EvidenceAbsence {", "if false {", "./console", "TestGuardsOnEveryPath"},
	{"console: a held sync delays nothing", "console/guard.go", "if p.ConnectorHeld && !(", "if p.ConnectorHeld && p.WritesPaused && !(", "./console", "TestGuardsOnEveryPath"},
	{"console: a rule grants what somebody barred", "console/guard.go", "p.Bar != nil && p.Bar.Lifted.IsZero()", "p.Bar != nil && !p.Bar.Lifted.IsZero()", "./console", "TestBarOutranksRules"},
	{"console: a sync that began before the newest is applied", "console/sync.go", "s.Began.Before(head.Began)", "head.Began.IsZero()", "./console", "TestOrderOfSyncs"},
	{"console: a migration loses whom requests are for", "console/store/sqlite/migrations/0027_request_unowned.sql", "UPDATE request SET whose = subject;\n", "", "./console/store/sqlite", "TestUpgrades"},
	{"console: two processes serve one SQLite database", "console/installation/installation.go", "	if errors.Is(err, disk.ErrLocked) {\n", "	if errors.Is(err, disk.ErrLocked) {\n		return nil, nil\n	}\n	if errors.Is(err, disk.ErrLocked) {\n", "./console/installation", "TestTwoProcesses"},
	{"console: webhooks follow redirects to inner addresses", "console/webhook/sender.go", "return http.ErrUseLastResponse }", "return nil }", "./console/webhook", "TestReceivers"},
	{"console: a full disk is an error of the program", "console/store/sqlite/db.go", "	case sqlite.ResultFull:\n", "	case sqlite.ResultFull:\n		return errClosed\n	case -1:\n", "./console/store/sqlite", "TestFullDisk"},
}
