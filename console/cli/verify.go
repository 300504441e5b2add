package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"baton"
	"baton/console"
	"baton/console/evidence"
	"baton/internal/english"
	"baton/internal/output"
)

func (r *run) verifyCommand() *cobra.Command {
	return r.command(spec{use: "verify PACK", short: "Verify an evidence pack of a review, or an audit report", args: 1, settings: []string{"fingerprint", "head"},
		long: `Checks every byte of a pack, its signature, its chain of events, and that its rows agree with each other. It needs no
server and no data folder. The fingerprint of the key must come from outside of the pack: otherwise whoever altered the
pack could have signed it with a key of their own. With a head that was kept outside of the console, whoever runs the
console cannot have cut events off and signed again.

The exit code is 0 if the pack is sound, 15 if it was altered, with the names of the members and the numbers of the
events on stderr, and 3 without a fingerprint.`,
		example: "  baton-console verify pack.zip --fingerprint SHA256:HEX --head head.json"}, r.verifyPack)
}

func (r *run) verifyPack(ctx context.Context, args []string) error {
	text := r.Values.String("fingerprint")
	if text == "" {
		return baton.Errorf(baton.Invalid, "a pack is verified against the fingerprint of a key").
			WithFix("Name it with --fingerprint SHA256:HEX, from outside of the pack: baton-console audit key prints it, and the console shows it at Admin > Audit export.")
	}
	fingerprint, err := evidence.CheckFingerprint(text)
	if err != nil {
		return err
	}
	o := evidence.Options{Fingerprint: fingerprint}
	if path := r.Values.String("head"); path != "" {
		h, err := readHead(path)
		if err != nil {
			return err
		}
		o.Heads = []console.ChainHead{h}
	}
	f, err := open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return baton.Errorf(baton.Invalid, "%s is no file", args[0]).WithFix("Name the file of a pack.")
	}
	report, err := evidence.Verify(ctx, f, info.Size(), o)
	if err != nil {
		return err
	}
	if len(report.Faults) > 0 {
		for _, fault := range report.Faults {
			fmt.Fprintln(r.stderr, output.Clean(fault.String()))
		}
		return baton.Errorf(baton.Corrupt, "the pack was altered: %s", report.Faults[0]).WithFix("Do not rely on it. Ask for the pack again, and compare the fingerprint of the key.")
	}
	return r.verified(report, fingerprint)
}

// verified prints what a sound pack proves.
func (r *run) verified(v evidence.Report, fingerprint string) error {
	head := "no head from outside of the pack: whoever has the key could have cut off events and signed again"
	if v.Heads > 0 {
		head = "the head that was kept is in the chain"
	}
	if v.Audit != nil {
		return r.verifiedAudit(*v.Audit, head, fingerprint)
	}
	c, erased := v.Counts, ""
	if v.Erased > 0 {
		erased = fmt.Sprintf(", %s erased", english.Count(v.Erased, "row"))
	}
	for _, l := range []string{
		fmt.Sprintf("sound: %s (%s), %s as of %s", v.Name, v.Campaign, v.State, v.AsOf.UTC().Format("2 Jan 2006 15:04 UTC")),
		fmt.Sprintf("%s, %d decided, %d unanswered%s; %s in %s", english.Count(c.Items, "item"), c.Decided, c.Unanswered, erased, english.Count(c.Decisions, "decision"), english.Count(c.Submissions, "submission")),
		fmt.Sprintf("%s, %d verified by later syncs, %d not effective", english.Count(c.Removals, "removal"), c.Verified, c.NotEffective),
		fmt.Sprintf("events %d to %d, %d with their content; %s", v.Chain.First, v.Chain.Last, c.Disclosed, head),
		"signed with " + fingerprint,
	} {
		if err := r.line("%s", l); err != nil {
			return err
		}
	}
	return nil
}

// verifiedAudit prints what a sound audit report proves.
func (r *run) verifiedAudit(m evidence.AuditManifest, head, fingerprint string) error {
	c, day := m.Counts, func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") }
	for _, l := range []string{
		fmt.Sprintf("sound: audit report of %s, from %s to %s", day(m.At), day(m.From), day(m.AsOf)),
		fmt.Sprintf("%s with %s, %s in the console", english.Count(c.Applications, "application"), english.Count(c.Administrators, "administrator"), english.Count(c.Roles, "role")),
		fmt.Sprintf("%s of people who left, %s who decided about each other, %s", english.Count(c.Leavers, "account"), english.Count(c.Reciprocal, "pair"), english.Count(c.Records, "record")),
		fmt.Sprintf("events %d to %d, %d with their content; %s", m.Chain.First, m.Chain.Last, c.Disclosed, head),
		"signed with " + fingerprint,
	} {
		if err := r.line("%s", l); err != nil {
			return err
		}
	}
	return nil
}
