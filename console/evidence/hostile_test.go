package evidence_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"baton/console"
	"baton/console/evidence"
	"baton/console/evidence/evidencetest"
)

// TestMembers checks that a member that is missing, added, renamed, moved or there twice is named.
func TestMembers(t *testing.T) {
	pack, _ := packOf(t, made{N: 12})
	at := func(members []evidence.Content, name string) int {
		return slices.IndexFunc(members, func(c evidence.Content) bool { return c.Name == name })
	}
	for _, tt := range []struct {
		name, want string
		change     func([]evidence.Content) []evidence.Content
	}{
		{"missing", "decisions.jsonl: is missing", func(m []evidence.Content) []evidence.Content {
			i := at(m, "decisions.jsonl")
			return slices.Delete(m, i, i+1)
		}},
		{"added", "more.txt: is not in the manifest", func(m []evidence.Content) []evidence.Content {
			return slices.Insert(m, 3, evidence.Content{Name: "more.txt"})
		}},
		{"added at the end", "manifest.sig: is not at its place", func(m []evidence.Content) []evidence.Content {
			return append(m, evidence.Content{Name: "more.txt"})
		}},
		{"renamed", "results2.csv: is not in the manifest", func(m []evidence.Content) []evidence.Content {
			m[at(m, "results.csv")].Name = "results2.csv"
			return m
		}},
		{"moved", "decisions.jsonl: is not at its place", func(m []evidence.Content) []evidence.Content {
			i := at(m, "decisions.jsonl")
			m[i], m[i+1] = m[i+1], m[i]
			return m
		}},
		{"twice", "decisions.csv: is there twice", func(m []evidence.Content) []evidence.Content {
			return slices.Insert(m, 2, m[at(m, "decisions.csv")])
		}},
		{"no signature", "manifest.sig: is missing", func(m []evidence.Content) []evidence.Content { return m[:len(m)-1] }},
		{"no manifest", "manifest.json: is missing", func(m []evidence.Content) []evidence.Content { return slices.Delete(m, len(m)-2, len(m)-1) }},
		{"no key", "key.pem: is missing", func(m []evidence.Content) []evidence.Content {
			i := at(m, "key.pem")
			return slices.Delete(m, i, i+1)
		}},
		{"no events", "events.jsonl: is missing", func(m []evidence.Content) []evidence.Content {
			i := at(m, "events.jsonl")
			return slices.Delete(m, i, i+1)
		}},
		{"nothing", "the ZIP directory: there are no members", func(m []evidence.Content) []evidence.Content { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wants(t, verify(t, evidence.Archive(tt.change(evidence.Contents(pack)))), tt.want)
		})
	}
}

// wants checks that one of the faults begins with a text.
func wants(t *testing.T, r evidence.Report, want string) {
	t.Helper()
	if !slices.ContainsFunc(r.Faults, func(f evidence.Fault) bool { return strings.HasPrefix(f.String(), want) }) {
		t.Errorf("%v\nwant %s", r.Faults, want)
	}
}

// TestHostileArchives checks that archives that other readers would take are refused, without
// unpacking anything.
func TestHostileArchives(t *testing.T) {
	pack, _ := packOf(t, made{N: 12})
	zipped := func(fill func(*zip.Writer)) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		fill(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	named := func(name string, mode uint32) []byte {
		return zipped(func(w *zip.Writer) {
			h := &zip.FileHeader{Name: name, Method: zip.Store, ExternalAttrs: mode << 16, CreatorVersion: 3 << 8}
			if _, err := w.CreateHeader(h); err != nil {
				t.Fatal(err)
			}
		})
	}
	end := func(count uint16, size, start uint32) []byte {
		b := bytes.Clone(pack)
		at := len(b) - 22
		binary.LittleEndian.PutUint16(b[at+8:], count)
		binary.LittleEndian.PutUint16(b[at+10:], count)
		binary.LittleEndian.PutUint32(b[at+12:], size)
		binary.LittleEndian.PutUint32(b[at+16:], start)
		return b
	}
	for name, b := range map[string][]byte{
		"empty":                  {},
		"text":                   []byte(strings.Repeat("no pack\n", 10)),
		"a bomb":                 zipped(func(w *zip.Writer) { f, _ := w.Create("manifest.json"); f.Write(make([]byte, 50<<20)) }),
		"a path":                 named("../manifest.json", 0),
		"a path of another kind": named(`..\manifest.json`, 0),
		"an absolute path":       named("/etc/manifest.json", 0),
		"a folder":               named("population/", 0),
		"a symbolic link":        named("manifest.json", 0o120777),
		"a device":               named("nul.txt:x", 0),
		"a long name":            named(strings.Repeat("a", 5000)+".txt", 0),
		"a name with a NUL":      named("a\x00.txt", 0),
		"trailing data":          append(bytes.Clone(pack), "x"...),
		"leading data":           append([]byte("x"), pack...),
		"two archives":           append(bytes.Clone(pack), pack...),
		"two directories":        append(bytes.Clone(pack), pack[bytes.LastIndex(pack, []byte("PK\x01\x02")):]...),
		"a comment":              append(append(bytes.Clone(pack[:len(pack)-2]), 1, 0), 'x'),
		"huge counts":            end(65535, 0xffffffff, 0),
		"a directory elsewhere":  end(3, 22, 0xfffffff0),
		"no directory":           end(0, 0, uint32(len(pack)-22)),
		"cut off":                pack[:len(pack)/2],
	} {
		r := verify(t, b)
		if len(r.Faults) == 0 {
			t.Errorf("%s is taken for a sound pack", name)
		}
	}
}

// TestKey checks that a pack is bound to the fingerprint of a key.
func TestKey(t *testing.T) {
	pack, _ := packOf(t, made{N: 2})
	r, err := evidence.Verify(t.Context(), bytes.NewReader(pack), int64(len(pack)), evidence.Options{Fingerprint: "SHA256:" + strings.Repeat("0", 64)})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, r, "key.pem: the pack is signed with the key "+fingerprint)
	for text, want := range map[string]string{
		fingerprint: fingerprint, strings.ToLower(fingerprint[7:]): "", "SHA256:" + strings.ToLower(fingerprint[7:]) + "\n": fingerprint, "SHA256:12": "", "": "", "SHA256:" + strings.Repeat("g", 64): "",
	} {
		if got, err := evidence.CheckFingerprint(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestHeads compares a pack with heads that were kept outside of the console.
func TestHeads(t *testing.T) {
	m := made{N: 12}
	pack, _ := packOf(t, m)
	events := m.Chain()
	head := func(i int) console.ChainHead {
		return console.ChainHead{Epoch: events[i].Epoch, Number: events[i].Number, Hash: events[i].Hash, At: noon}
	}
	before := console.ChainHead{Epoch: 2, Number: events[0].Number - 1, Hash: events[0].Previous}
	for _, h := range []console.ChainHead{head(0), head(3), head(len(events) - 1), before} {
		if r := verify(t, pack, h); len(r.Faults) > 0 || r.Heads != 1 {
			t.Errorf("the head of event %d: %v", h.Number, r.Faults)
		}
	}
	other := head(3)
	other.Hash[0]++
	wants(t, verify(t, pack, other), "event 104: is not the one whose head was kept")
	other = head(3)
	other.Epoch++
	wants(t, verify(t, pack, other), "event 104: is not the one whose head was kept")
	before.Hash[0]++
	wants(t, verify(t, pack, before), "event 101: does not follow")
	before.Number -= 10
	wants(t, verify(t, pack, before), "events.jsonl: the head is event 90")
	short, _ := packOf(t, evidencetest.CutOff{Made: m, First: len(events) - 1})
	if r := verify(t, short); len(r.Faults) > 0 {
		t.Errorf("whoever has the key can cut off events and sign again: %v", r.Faults)
	}
	wants(t, verify(t, short, head(len(events)-1)), "event "+numberOf(events[len(events)-1])+": is missing")
}

// TestSignedLies alters what a pack says and signs it again, as whoever has the key can. What the pack
// says about itself then differs, and is named.
func TestSignedLies(t *testing.T) {
	pack, _ := packOf(t, made{N: 60, Erased: true})
	member := "population/" + string(id("app", 1))
	for _, tt := range []struct {
		name, want      string
		member, old, to string
	}{
		{"an item that was shown otherwise", member + ".jsonl: line 5: item 5 does not have the hash", member, `"login":"ana5@`, `"login":"bob5@`},
		{"an item that calls itself erased", member + ".jsonl: line 5: item 5 does not have the hash", member, `"login":"ana5@`, `"login":"b@`},
		{"a decision", "decisions.jsonl: the decisions of submission", "decisions", `"choice":"remove"`, `"choice":"keep"`},
		{"a decision of somebody else", "decisions.jsonl: line 1: the decision about item 1 is not in the submission", "decisions", `"reviewer":"` + string(id("reviewer", 1)), `"reviewer":"` + string(id("reviewer", 2))},
		{"a note", "decisions.jsonl: line 4: the note about item 4", "decisions", `on 3 Dec`, `on 4 Dec`},
		{"seconds", "decisions.jsonl: the decisions of submission", "decisions", `"seconds":4`, `"seconds":40`},
		{"an unanswered item less", "results.jsonl: line 10: item 10 has neither", "unanswered", `{"item":10,"choice":"keep","result":"unanswered"}` + "\n", ""},
		{"an unanswered item twice", "unanswered.jsonl: line 2: item 10 is there twice", "unanswered", `{"item":20,`, `{"item":10,`},
		{"an outcome by somebody else", "results.jsonl: line 1: the outcome of item 1", "results", `"by":["` + string(id("reviewer", 1)), `"by":["` + string(id("reviewer", 2))},
		{"a removal that came back", "not-effective.jsonl", "results", `"result":"came-back"`, `"result":"verified"`},
		{"a removal that came back, not listed", "not-effective.jsonl: has 1 of the 2", "not-effective", lineOf(t, pack, "not-effective", `{"item":42,`), ""},
		{"a missing result", "results.jsonl: line 3: item 4 is not in its place", "results", `{"item":3,"choice":"keep","by":["` + string(id("reviewer", 0)) + `"],"settled":"2026-11-29T13:00:00Z","result":"kept"}` + "\n", ""},
		{"an assignment less", "decisions.jsonl: line 1: item 1 was decided by somebody who was not asked", "assignments", `{"item":1,"reviewer":"` + string(id("reviewer", 1)), `{"item":1,"reviewer":"` + string(id("reviewer", 2))},
		{"a submission's event", "event 101: does not have the digest", "submissions", `"event":103}`, `"event":101}`},
		{"the counts of a submission", "submissions.jsonl: submission", "submissions", `"keep":1`, `"keep":2`},
		{"the totals of a source", "sources.jsonl: sync 41 of Perplexity has 31 items, and 30", "sources", `"items":30,`, `"items":31,`},
		{"an item of another sync", "sources.jsonl: sync 41 of Perplexity has 30 items, and 29", member, `"sync":41,`, `"sync":40,`},
		{"a person less", "people.jsonl: does not have the person", "people", string(id("reviewer", 1)), string(id("reviewer", 9))},
		{"the plan", "plan.jsonl: does not have the hash", "plan", `{"account":7}`, `{"account":8}`},
		{"an operation of no item", "operations.jsonl: line 1: there is no item 700", "operations", `"item":7,`, `"item":700,`},
		{"an unknown field", "decisions.jsonl: line 1: json: unknown field", "decisions", `"seconds":4`, `"secs":4`},
		{"a field twice", "decisions.jsonl: line 1: it is not in its canonical form", "decisions", `"choice":"keep"`, `"choice":"remove","choice":"keep"`},
		{"an event", "event 101: was altered", "events", `campaign.added`, `campaign.addef`},
		{"an event that was not erased", "event 104: does not have its hash, and no later event", "events", `{"number":104,"epoch":2,"digest"`, `{"number":104,"epoch":2,"hash"`},
		{"an erased event", "event 102: does not have its hash, and no later event", "events", `"erased":true`, `"erased":true `},
		{"an event less", "event 103: is missing", "events", lineOf(t, pack, "events", `{"number":103,`), ""},
		{"two events swapped", "event 103: is missing", "events", lineOf(t, pack, "events", `{"number":103,`) + lineOf(t, pack, "events", `{"number":104,`), lineOf(t, pack, "events", `{"number":104,`) + lineOf(t, pack, "events", `{"number":103,`)},
		{"the last event less", "event 117: is the last of the chain", "events", lineOf(t, pack, "events", `{"number":118,`), ""},
		{"a line without its end", "events.jsonl: line 18", "events", lineOf(t, pack, "events", `{"number":118,`), strings.TrimSpace(lineOf(t, pack, "events", `{"number":118,`))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			members := evidence.Contents(pack)
			i := slices.IndexFunc(members, func(c evidence.Content) bool { return c.Name == tt.member+".jsonl" })
			before, after, ok := strings.Cut(members[i].Text, tt.old)
			if !ok {
				t.Fatalf("%s is not in %s", tt.old, members[i].Name)
			}
			members[i].Text = before + tt.to + after
			if csv, ok := evidence.CSV(tt.member, members[i].Text); ok && members[i+1].Name == tt.member+".csv" {
				members[i+1].Text = csv
			}
			wants(t, verify(t, evidence.Resign(members, key, nil)), tt.want)
		})
	}
}

// lineOf returns the line of a member that begins with a text.
func lineOf(t *testing.T, pack []byte, member, begin string) string {
	t.Helper()
	for _, c := range evidence.Contents(pack) {
		for line := range strings.Lines(c.Text) {
			if c.Name == member+".jsonl" && strings.HasPrefix(line, begin) {
				return line
			}
		}
	}
	t.Fatalf("no line %s in %s", begin, member)
	return ""
}

// TestSignedManifest checks the manifest against the members.
func TestSignedManifest(t *testing.T) {
	pack, _ := packOf(t, made{N: 12})
	for name, tt := range map[string]struct {
		want   string
		change func(*evidence.Manifest)
	}{
		"a count":         {"manifest.json: counts", func(m *evidence.Manifest) { m.Counts.Unanswered-- }},
		"another review":  {"campaign.json: is of another review", func(m *evidence.Manifest) { m.Name = "Q3" }},
		"another chain":   {"event 100: is missing", func(m *evidence.Manifest) { m.Chain.First-- }},
		"another end":     {"head.json: is not the end", func(m *evidence.Manifest) { m.AsOf = m.AsOf.Add(1) }},
		"another hash":    {"event ", func(m *evidence.Manifest) { m.Chain.Hash[0]++ }},
		"another key":     {"manifest.json: names the key", func(m *evidence.Manifest) { m.Key = "SHA256:0" }},
		"a member twice":  {"manifest.json: lists README.txt twice", func(m *evidence.Manifest) { m.Members = append(m.Members, m.Members[0]) }},
		"another content": {"README.txt: its content was altered", func(m *evidence.Manifest) { m.Members[0].SHA256[0]++ }},
	} {
		t.Run(name, func(t *testing.T) {
			wants(t, verify(t, evidence.Resign(evidence.Contents(pack), key, tt.change)), tt.want)
		})
	}
	unknown := evidence.Resign(evidence.Contents(pack), key, func(m *evidence.Manifest) { m.Format = "baton evidence pack 9" })
	if _, err := evidence.Verify(t.Context(), bytes.NewReader(unknown), int64(len(unknown)), evidence.Options{Fingerprint: fingerprint}); err == nil || !strings.Contains(err.Error(), "baton evidence pack 9") {
		t.Errorf("an unknown format: %v", err)
	}
}

// TestSelfReview checks that a pack in which somebody decided about their own access is not sound.
func TestSelfReview(t *testing.T) {
	wants(t, verify(t, signed(t, made{N: 12, Change: func(d *console.ReviewDecision) {
		if d.Item == 5 {
			d.For = id("subject", 5)
		}
	}})), "decisions.jsonl: line 5: item 5 was decided by the person whose access it is")
}

// FuzzVerify verifies arbitrary bytes: nothing but the pack itself is sound, and nothing panics.
func FuzzVerify(f *testing.F) {
	pack := evidence.Archive(evidence.Contents(packBytes(f)))
	f.Add(0, []byte{}, false)
	f.Add(40, []byte("x"), true)
	f.Add(len(pack)-22, []byte{0, 0, 0, 0}, false)
	f.Fuzz(func(t *testing.T, at int, with []byte, insert bool) {
		if at < 0 || at > len(pack) {
			t.Skip()
		}
		b := bytes.Clone(pack[:at])
		b = append(b, with...)
		rest := at
		if !insert {
			rest = min(at+len(with), len(pack))
		}
		b = append(b, pack[rest:]...)
		r := verify(t, b)
		if same := bytes.Equal(b, pack); same != (len(r.Faults) == 0) {
			t.Errorf("the same bytes: %v; faults %v", same, r.Faults)
		}
	})
}

func packBytes(f *testing.F) []byte {
	b, _ := packOf(f, made{N: 5})
	return b
}

// FuzzMember replaces a member of a signed pack: nothing panics.
func FuzzMember(f *testing.F) {
	members := evidence.Contents(packBytes(f))
	for i, c := range members {
		f.Add(i, []byte(c.Text))
	}
	f.Fuzz(func(t *testing.T, i int, content []byte) {
		if i < 0 || i >= len(members) || members[i].Name == "manifest.json" || members[i].Name == "manifest.sig" {
			t.Skip()
		}
		changed := slices.Clone(members)
		changed[i].Text = string(content)
		verify(t, evidence.Resign(changed, key, nil))
	})
}
