package evidence

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"

	"baton"
	"baton/console"
)

// Fault is one thing that is wrong with a pack.
type Fault struct {
	Member string // "" if it is about an event
	Event  int64
	Detail string
}

// String returns the fault as a line, which begins with what is altered.
func (f Fault) String() string {
	if f.Event != 0 {
		return fmt.Sprintf("event %d: %s", f.Event, f.Detail)
	}
	return f.Member + ": " + f.Detail
}

// Report is the result of a verification.
type Report struct {
	Manifest
	Faults   []Fault        // the first maxFaults; nil for a sound pack
	Withheld int            // events of which the pack has the digest only
	Erased   int            // events and items from which personal data was removed
	Heads    int            // heads from outside of the pack with which its chain agrees
	Audit    *AuditManifest // of an audit report; nil for the pack of a review
}

// maxFaults limits the faults of a report.
const maxFaults = 100

// Limits of members that are read as a whole.
const (
	maxManifest = 4 << 20
	maxDocument = 16 << 20
)

// Options say against what a pack is verified.
type Options struct {
	Fingerprint string              // of the key, from outside of the pack
	Heads       []console.ChainHead // of the chain, from outside of the pack
}

// CheckFingerprint returns a fingerprint in the form of [console.Fingerprint].
func CheckFingerprint(text string) (string, error) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(text), "SHA256:")
	digits = strings.ToUpper(strings.ReplaceAll(digits, ":", ""))
	if !ok || len(digits) != 64 || strings.Trim(digits, "0123456789ABCDEF") != "" {
		return "", baton.Errorf(baton.Invalid, "%q is no fingerprint", text).WithFix("Write SHA256: and 64 digits, as the console shows at Admin > Audit export.")
	}
	return "SHA256:" + digits, nil
}

// Verify checks a pack or an audit report: every byte of the archive, every hash, the signature, the chain of events,
// and that the rows agree with each other and with what the manifest counts. It needs nothing but the
// pack. The error says that the pack could not be read.
func Verify(ctx context.Context, r io.ReaderAt, size int64, o Options) (Report, error) {
	v := &verification{options: o, named: map[console.ID]bool{}}
	a, err := openArchive(r, size, v.fault)
	if err != nil {
		return v.Report, err
	}
	v.opened = a
	if len(a.entries) == 0 {
		if len(v.Faults) == 0 {
			v.fault(directoryName, "there are no members")
		}
		return v.Report, nil
	}
	audit, err := a.isAudit()
	if err != nil {
		return v.Report, err
	}
	steps := []func() error{v.campaign, v.population, v.tables, v.decisions, v.results, v.people, v.counted}
	if audit {
		steps = []func() error{v.tables, v.auditRows}
	}
	for _, step := range append([]func() error{func() error { return a.check(v.fault) }, v.signature, v.members, v.chain, v.head}, steps...) {
		if err := ctx.Err(); err != nil {
			return v.Report, baton.Errorf(baton.Canceled, "verify the pack: %w", err)
		}
		if err := step(); err != nil {
			return v.Report, err
		}
	}
	return v.Report, nil
}

// verification is one run of [Verify].
type verification struct {
	Report
	options  Options
	opened   *opened
	counts   Counts // of the rows that were read
	about    campaignRow
	digests  map[int64]string // of decisions, as the events of submissions say
	sources  []sourceRow
	bySync   map[string]int // items of each source
	shown    []console.Hash // of the items, by number
	subjects []console.ID   // whose access the items are
	deciders [][]console.ID // who decided about them
	open     []bool         // items without an answer
	named    map[console.ID]bool
	recorded []recordedEvent // of an audit report, that no record was read for
}

func (v *verification) fault(member, format string, args ...any) {
	f := Fault{Member: member, Detail: fmt.Sprintf(format, args...)}
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, f)
	}
}

func (v *verification) eventFault(number int64, format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, Fault{Event: number, Detail: fmt.Sprintf(format, args...)})
	}
}

// signature checks the key, and the signature of the manifest.
func (v *verification) signature() error {
	text, err := v.opened.read(keyName, maxDocument)
	if err != nil {
		return err
	}
	key := decodeKey(text)
	switch {
	case text == nil:
		v.fault(keyName, "is missing")
	case key == nil:
		v.fault(keyName, "is no public key in the expected form")
	case console.Fingerprint(key) != v.options.Fingerprint:
		v.fault(keyName, "the pack is signed with the key %s, and not with %s", console.Fingerprint(key), v.options.Fingerprint)
	}
	manifest, err := v.opened.read(manifestName, maxManifest)
	if err != nil {
		return err
	}
	signature, err := v.opened.read(signatureName, ed25519.SignatureSize)
	if err != nil {
		return err
	}
	if manifest == nil {
		v.fault(manifestName, "is missing, or too large")
		return nil
	}
	switch {
	case len(signature) != ed25519.SignatureSize:
		v.fault(signatureName, "is missing, or no signature")
	case key != nil && !ed25519.Verify(key, manifest, signature):
		v.fault(manifestName, "does not have the signature in %s", signatureName)
	}
	if audit, _ := v.opened.isAudit(); audit {
		err = v.auditManifest(manifest)
	} else {
		v.Manifest, err = decodeManifest(manifest)
	}
	if err != nil {
		if baton.KindOf(err) == baton.Unsupported {
			return err
		}
		v.fault(manifestName, "%v", err)
	} else if key != nil && v.Key != console.Fingerprint(key) {
		v.fault(manifestName, "names the key %s", v.Key)
	}
	return nil
}

// members compares the members with those that the manifest lists.
func (v *verification) members() error {
	listed := map[string]Member{}
	for _, m := range v.Members {
		if _, twice := listed[m.Name]; twice {
			v.fault(manifestName, "lists %s twice", m.Name)
		}
		listed[m.Name] = m
	}
	order := 0
	for i, e := range v.opened.entries {
		m, ok := listed[e.name]
		switch last := len(v.opened.entries) - 1 - i; {
		case e.name == manifestName && last == 1, e.name == signatureName && last == 0:
			continue
		case e.name == manifestName, e.name == signatureName:
			v.fault(e.name, "is not at its place at the end")
			continue
		case !ok:
			v.fault(e.name, "is not in the manifest")
			continue
		case m.Size != e.size || m.SHA256 != e.sum:
			v.fault(e.name, "its content was altered: the manifest has another hash")
		case order >= len(v.Members) || v.Members[order].Name != e.name:
			v.fault(e.name, "is not at its place")
		}
		order++
	}
	for _, m := range v.Members {
		if v.opened.find(m.Name) == nil {
			v.fault(m.Name, "is missing")
		}
	}
	return nil
}

// document decodes a member that is one value of JSON.
func (v *verification) document(name string, to any) error {
	text, err := v.opened.read(name, maxDocument)
	if err != nil || text == nil {
		if err == nil && v.opened.find(name) != nil {
			v.fault(name, "is too large")
		}
		return err
	}
	body, ok := bytes.CutSuffix(text, []byte("\n"))
	if !ok {
		v.fault(name, "its last line has no end")
		return nil
	}
	if err := canonically(body, to); err != nil {
		v.fault(name, "%v", err)
	}
	return nil
}

// rows decodes each line of a member. Reading ends at the first line that cannot be read.
func rows[T any](v *verification, name string, fn func(T) error) error {
	e := v.opened.find(name)
	if e == nil {
		return nil
	}
	return v.lines(*e, func(line []byte) error {
		var row T
		if err := canonically(line, &row); err != nil {
			return err
		}
		return fn(row)
	})
}

// lines calls fn for each line of a member. An error that fn returns is a fault of the member, and
// ends the reading.
func (v *verification) lines(e entry, fn func(line []byte) error) error {
	err := lines(v.opened.open(e), func(n int, line []byte) error {
		if err := fn(line); err != nil {
			return baton.Errorf(baton.KindOf(err), "line %d: %w", n, err)
		}
		return nil
	})
	if err != nil {
		v.fault(e.name, "%v", err)
	}
	return nil
}

// wrong is an error about a row.
func wrong(format string, args ...any) error { return baton.Errorf(baton.Corrupt, format, args...) }
