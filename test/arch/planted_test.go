package arch

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var planted = flag.Bool("planted", false, "build defects in, one at a time, and demand that a test goes red")

// plant changes one place in the source, as a well-meant edit might.
type plant struct {
	defect   string
	file     string
	old, new string
	pkg, run string
}

// plants holds defects that the tests of the removal guard, of parsers and of security must detect.
var plants = []plant{
	{"the removal guard compares counts and not identities", "agent/syncer/removal_guard.go", "for _, l := range losses {\n",
		"for _, l := range losses {\n\t\tif c := s.counts[l.Type]; c != nil {\n\t\t\tl.Gone = max(0, l.Before-map[writer.Table]int{writer.Resources: c.Resources, writer.Entitlements: c.Entitlements, writer.Grants: c.Grants}[l.Table])\n\t\t}\n",
		"./agent/syncer", "TestRemovalGuard"},
	{"a share is looked at however few rows there are", "agent/syncer/removal_guard.go", "before < cmp.Or(s.run.cfg.RemovalsFrom, defaultRemovalsFrom) || ", "", "./agent/syncer", "TestRemovalGuard"},
	{"all of a kind may be gone where there were few", "agent/syncer/removal_guard.go", "return gone < before && (", "return (", "./agent/syncer", "TestRemovalGuard"},
	{"floors are not looked at", "agent/syncer/removal_guard.go", "return file.ID, append(short, under...), err", "_ = under\n\t\treturn file.ID, short, err", "./connector/perplexity", "TestLockoutIsHeld"},
	{"a guessed group counts as the Admin group", "connector/perplexity/review.go", "if !r.named {", "if false {", "./connector/perplexity", "TestFloors"},
	{"an override allows any loss of that size", "agent/syncer/override.go", "return same*2 >= len(known) && same > 0", "return true", "./agent/syncer", "TestOverride"},
	{"an override allows any number of syncs", "agent/syncer/override.go", "if o.IsZero() || o.previous != hash8(previous) {", "if o.IsZero() {", "./agent/syncer", "TestOverride"},
	{"an override allows more than was held", "agent/syncer/override.go", "return more <= 0 || more < left && more*100 <= left*maxRemovals", "return more <= left", "./agent/syncer", "TestOverride"},
	{"an override alone switches the removal guard off", "agent/syncer/removal_guard.go", "short, err = s.fewerThanHeld(notes)", "", "./agent/syncer", "TestOverrideWithoutPrevious"},
	{"a share of the counts may be gone", "agent/syncer/removal_guard.go", "if known && now < of.n {", "if known && now == 0 {", "./agent/syncer", "TestPreviousLost"},
	{"a damaged previous sync is none", "agent/syncer/syncer.go", "r.cfg.Previous, r.previousLost = \"\", true", "r.cfg.Previous = \"\"", "./agent/syncer", "TestUnknownUpload"},
	{"a damaged record is none", "agent/service/uploads.go", "p.last = &syncer.Upload{}", "", "./agent/service", "TestUploadIsRemembered"},
	{"the pages of a held sync are sealed by the next run", "agent/syncer/removal_guard.go", "s.run.void = true", "", "./agent/syncer", "TestRemovalGuard"},
	{"the service compares with nothing", "agent/service/sync.go", "cfg.Previous, cfg.LastUpload, err = s.lastUpload(cfg, key, log); err", "err", "./agent/service", "TestHeld"},
	{"the service keeps the first sync and never a later one", "agent/service/uploads.go", "err = os.Rename(second, s.uploadedFile(key))", "err = os.Link(second, s.uploadedFile(key))", "./agent/service", "TestWhatIsKept"},
	{"a file that is damaged stops the service's syncs for good", "agent/syncer/syncer.go", "if err == nil || r.cfg.Previous == \"\" ||", "if true || r.cfg.Previous == \"\" ||", "./agent/service", "TestUploadIsRemembered"},
	{"the trees of a file are not looked at", "c1z/internal/database/trees.go", "if t.seen[n/64]&(1<<(n%64)) != 0 {", "if t.seen[n/64]&(1<<(n%64)) != 0 && len(todo) < 0 {", "./c1z", "TestTreeOfSharedBranches"},
	{"an id of a grant is taken apart", "c1z/row.go", "	r.complete(&g.Entitlement, entitlementID)\n", "	g.Entitlement = g.Resource.String() + \":member\"\n", "./c1z/facts", "TestForms"},
	{"what a slim grant leaves out is not read", "c1z/row.go", "	r.completeID(&g.Principal, principalTypeID, principalID)\n", "", "./c1z/facts", "TestForms"},
	{"an id that begins another one has a place of its own", "c1z/writer/grants.go", "last >= 0 && begins(id, first)", "last >= 0 && begins(id, first) && len(id) < 0", "./c1z/writer", "TestLibraryAgrees"},
	{"an index is written in any order", "c1z/internal/sqlitefile/writer.go", "return &OrderError{ix.name}", "break", "./c1z/internal/sqlitefile", "TestInOrderRefuses"},
	{"a grant leans on one of a page that was dropped", "agent/syncer/page.go", "p.feed.rows.Restart()", "", "./agent/syncer", "TestGrantsAfterADrop"},
	{"a grant leans on one of a pass that was dropped", "agent/syncer/feed.go", "f.rows.Restart()", "", "./agent/syncer", "TestGrantsAfterADrop"},
	{"what is in another slot than the first is not found", "internal/intern/intern.go", "n, _ := t.add(s, hashes[i])", "n := t.Len(); t.places = append(t.places, t.keep(n, s))", "./internal/intern", "TestAddAll"},
	{"rows of the previous sync are taken to be in order", "c1z/writer/past.go", "if bytes.Compare(id, s.last) <= 0 {", "if len(id) == 0 {", "./c1z/writer", "TestPastAsTheLibrary"},
	{"columns of the previous sync are taken for what they should be", "c1z/writer/past.go", "		default:\n			return errUnlike\n", "", "./c1z/writer", "TestPastAsTheLibrary"},
	{"the last child of a branch is not read", "c1z/internal/sqlitefile/scan.go", "if b.at < b.cells {", "if b.at < b.cells-1 {", "./c1z/internal/sqlitefile", "TestSizes"},
	{"a search goes on behind what it looks for", "internal/extsort/list.go", "c.again, c.on = true, false", "c.again, c.on = false, false", "./internal/extsort", "TestSeek"},
	{"a link to a folder is taken for the folder", "internal/disk/own.go", "info, err := os.Lstat(dir)", "info, err := os.Stat(dir)", "./internal/disk", "TestOwnDir"},
	{"what an upstream says is printed with the token in it", "connector/rest/content.go", "pairs = append(pairs, spelling, secret.String())", "pairs = append(pairs, spelling, spelling)", "./connector/rest", "TestTokenIsNeverRepeated"},
	{"bodies are read to their end", "connector/rest/content.go", "io.ReadAll(io.LimitReader(text, c.maxBody+1))", "io.ReadAll(io.LimitReader(text, 1<<30))", "./connector/rest", "TestBombs"},
	{"rows that were skipped are not noticed", "connector/paging/judge.go", "case overlaps && a.Skips:", "case overlaps && a.Skips && p.Restarts < 0:", "./connector/scim", "TestPaging"},
	{"the row before one that is alone is not looked at again", "connector/paging/judge.go", "case p.Last != \"\":", "case p.Last != \"\" && p.Restarts < 0:", "./connector/scim", "TestPaging"},
	{"places that repeat rows prove the end", "connector/paging/judge.go", "if odd && p.Cursor", "if odd && p.Pages < 0 && p.Cursor", "./connector/scim", "TestPaging"},
	{"a 404 proves that a user is gone", "connector/scim/proof.go", "found, listErr := c.ListedUsers(ctx, id)\n", "found, listErr := map[string]User{}, error(nil)\n", "./connector/scim", "TestProof"},
	{"an empty list proves that something is gone", "connector/scim/proof.go", "case shown.rows > 0:", "case shown.rows >= 0:", "./connector/scim", "TestProof"},
	{"a list needs no schema", "connector/scim/proof.go", "return t.formal == t.pages || t.formal == 0 && t.named", "return true", "./connector/scim", "TestProof"},
	{"one page with the schema is enough", "connector/scim/proof.go", "t.formal == 0 && t.named", "t.named", "./connector/scim", "TestPagesThatDoNotVouch"},
	{"names are folded beyond ASCII", "connector/scim/identity.go", "	if len(a) != len(b) {", "	if strings.EqualFold(a, b) {\n\t\treturn true\n\t}\n\tif len(a) != len(b) {", "./connector/scim", "TestSameName"},
	{"any address of several makes an account", "connector/scim/identity.go", "if primaries == 0 && len(u.Emails) == 1 {", "if primaries == 0 && len(u.Emails) > 0 {", "./connector/scim", "TestChoose"},
	{"users that were found share their addresses with later rows", "connector/scim/find.go", "u.Emails, u.Groups = slices.Clone(u.Emails), slices.Clone(u.Groups)", "_ = slices.Clone(u.Emails)", "./connector/scim", "TestFoundUsersKeepTheirAddresses"},
	{"the record that a creation returns is taken as it is", "connector/perplexity/account.go", "if err == nil && !u.GoesBy(account.UserName) {", "if false {", "./connector/perplexity", "TestRecordsOfOthers"},
	{"a grant does not look its account up", "connector/perplexity/change.go", "		u, shown, err := c.scim.LookUpUser(ctx, m.userID)\n		if err == nil && !shown {", "		u, shown, err := c.scim.LookUpUser(ctx, m.userID)\n		if err == nil && !shown && false {", "./connector/perplexity", "TestGrantToNobody"},
	{"the message of a held sync has no example", "agent/syncer/removal_guard.go", "example = fmt.Sprintf(\", for example %q\", l.Sample[0])", "example = \"\"", "./agent/syncer", "TestRemovalGuard"},
	{"the message says how many are left for how many are missing", "agent/syncer/removal_guard.go", "of.number(l.Before), l.Gone, l.Gone*100/l.Before,", "of.number(l.Before), l.Before-l.Gone, l.Gone*100/l.Before,", "./agent/syncer", "TestRemovalGuard"},
	{"the message says that there are none, and there are others", "agent/syncer/removal_guard.go", "case s.totals[of] == 0:", "case s.totals[of] >= 0:", "./agent/syncer", "TestRemovalGuard"},
	{"the message is silent about rows that were left out", "agent/syncer/removal_guard.go", "if left := leftOut(excluded); left != \"\" {", "if left := leftOut(excluded); left == \"-\" {", "./agent/syncer", "TestRemovalGuard"},
	{"the message swaps what was uploaded and what there is", "agent/syncer/removal_guard.go", "of.number(of.n), none(now))})\n			}\n		}\n	}\n	return short\n", "of.number(now), none(of.n))})\n			}\n		}\n	}\n	return short\n", "./agent/syncer", "TestPreviousLost"},
	{"the message names one tenant twice", "agent/syncer/removal_guard.go", "last.Origin, cfg.Connector.Origin))", "last.Origin, last.Origin))", "./agent/service", "TestSameSource"},
	{"the message names another override than the one that lets it through", "agent/syncer/removal_guard.go", "note, held.Override)", "note, newOverride(held.Override.String(), short, s.totals))", "./agent/syncer", "TestRemovalGuard"},
	{"a member without an id is none", "connector/scim/member.go", "return unreadable(\"it has neither a value nor a $ref with an id\")", "return Member{Kind: OtherMember}", "./test/storm", "TestKinds/members_that_cannot_be_read_count_as_none/members-nameless"},
	{"a link to further members is not looked at", "connector/scim/member.go", "case t.more != \"\":", "case false:", "./test/storm", "TestKinds/members_that_cannot_be_read_count_as_none/members-linked"},
	{"ids that differ in case are those of nobody", "connector/perplexity/naming.go", "case q.byID == severalMatches, q.nearly:", "case q.byID == severalMatches:", "./connector/perplexity", "TestNaming"},
	{"the first of two accounts with a name is meant", "connector/perplexity/naming.go", "*m = severalMatches", "return", "./test/storm", "TestKinds/members_that_cannot_be_read_count_as_none/shared-names"},
	{"a device is a user", "connector/scim/member.go", "	case otherKinds[word]:\n		return otherKind\n", "", "./test/storm", "TestKinds/a_member_of_another_kind_is_taken_for_a_user/device-members"},
	{"a reference to anything is one to a user", "connector/scim/member.go", "		return groupKind\n	}\n	return otherKind\n", "		return groupKind\n	}\n	return userKind\n", "./test/storm", "TestKinds/a_member_of_another_kind_is_taken_for_a_user/principal-members"},
	{"a member of an unknown type counts as an admin who remains", "connector/perplexity/roster.go", "return kinds.Has(scim.UserMember) && !kinds.Has(scim.LikelyUser)", "return kinds.IsUser()", "./test/storm", "TestKinds/a_member_of_another_kind_is_taken_for_a_user/odd-kind-members"},
	{"a member of an unknown type is the account", "connector/perplexity/roster.go", "if !r.has(u.ID) || r.entry(u.ID).Has(scim.UserMember) || r.surely(u.ID) {", "if true {", "./test/storm", "TestKinds/a_member_of_another_kind_is_taken_for_a_user/odd-kind-members"},
	{"the last of two groups with a name is meant", "connector/perplexity/roles.go", "				ids = append(ids, g.ID)\n			}\n		}\n		if len(ids) > 0 {", "				ids = []string{g.ID}\n			}\n		}\n		if len(ids) > 0 {", "./test/storm", "TestKinds/a_name_that_two_groups_carry"},
	{"a change is counted again for groups that it does not touch", "connector/perplexity/guard.go", "if !ch.endangers(alternative) || !ch.takes(p, alternative) {", "if !ch.takes(p, alternative) {", "./connector/perplexity", "TestRecheckLooksAtWhatTheGuardLookedAt"},
	{"an id is looked up without its prefix", "connector/perplexity/status.go", "u, shown, err = c.scim.LookUpUser(ctx, id)", "u, shown, err = c.scim.LookUpUser(ctx, strings.TrimPrefix(id, \"user:\"))", "./test/storm", "TestKinds/ids_are_edited"},
	{"the declared charset is not looked at", "connector/rest/charset.go", "name, coding := declared(resp.Header)", "name, coding := declared(http.Header{})", "./test/storm", "TestKinds/text_that_is_not_UTF-8/latin-1"},
	{"the query of the URL is dropped", "connector/rest/url.go", "strings.Trim(base.RawQuery+\"&\"+own, \"&\")", "own", "./test/storm", "TestKinds/settings_that_vanish"},
	{"the members of a page are held", "connector/perplexity/groups.go", "			members++\n			c.addMember(page, g, m)\n", "			members++\n			c.locks.Store(fmt.Sprint(g.ID, m.Value, members), true)\n			c.addMember(page, g, m)\n", "./test/storm", "TestKinds/memory_without_bound/crowded-group"},
	{"names may be without number", "connector/perplexity/naming.go", "if r.size() > maxNames {", "if false {", "./connector/perplexity", "TestTooManyNames"},
	{"a wait is as long as an upstream likes", "connector/rest/retryafter.go", "min(max(d, 0), float64(maxAsk))", "max(d, 0)", "./connector/rest", "RetryAfter"},
}

// TestPlantsFit: the source still contains the places.
func TestPlantsFit(t *testing.T) {
	for _, p := range slices.Concat(plants, consolePlants) {
		source, err := os.ReadFile(filepath.FromSlash(p.file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(source, []byte(p.old)) {
			t.Errorf("%s: %s has no %q", p.defect, p.file, p.old)
		}
	}
}

// TestPlanted builds each defect in, in an overlay and not on disk, and runs the test that must detect it.
func TestPlanted(t *testing.T) {
	if !*planted {
		t.Skip("takes minutes; make planted")
	}
	red := 0
	for _, p := range slices.Concat(plants, consolePlants) {
		t.Run(p.defect, func(t *testing.T) {
			source, err := os.ReadFile(filepath.FromSlash(p.file))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			changed := filepath.Join(dir, "planted.go")
			if err := os.WriteFile(changed, []byte(strings.Replace(string(source), p.old, p.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			original, err := filepath.Abs(filepath.FromSlash(p.file))
			if err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("go", "test", "-overlay", filepath.Join(dir, "overlay.json"), "-vet=off", "-timeout=90s", "-run", p.run, p.pkg).CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("%s %s stays green", p.pkg, p.run)
			case !bytes.Contains(out, []byte("--- FAIL")) && !bytes.Contains(out, []byte("panic: test timed out")):
				t.Errorf("it does not get as far as the test:\n%s", out)
			default:
				red++
				t.Logf("red, as it should be: %s", firstFailure(string(out)))
			}
		})
	}
	t.Logf("%d defects planted, %d seen", len(plants)+len(consolePlants), red)
}

// firstFailure returns the line with a test's message.
func firstFailure(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic: test timed out") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(out)
}
