package c1z3_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"baton"
	"baton/console/c1z3"
)

// message builds protobuf messages: a field number followed by a string, bytes or an int each.
func message(fields ...any) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 2 {
		number := protowire.Number(fields[i].(int))
		switch v := fields[i+1].(type) {
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), v)
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(v))
		case uint64:
			b = protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), v)
		}
	}
	return b
}

// file is a file of version 3 under construction.
type file struct {
	engine   string
	encoding int
	records  map[string][]byte
	parts    map[string][]byte // in addition to those of the database
}

// small returns a file with one account, one group, one entitlement and one grant.
func small() *file {
	group, user := message(1, "group", 2, "g"), message(1, "user", 2, "u")
	return &file{engine: "pebble3", encoding: 5, parts: map[string][]byte{}, records: map[string][]byte{
		"\x03\xffkeyspace_version":                           {0, 0, 0, 2},
		"\x03\xffgrant_entitlement_id_format":                {0, 0, 0, 2},
		"\x03\x06":                                           message(1, "a-sync", 2, 1, 4, message(1, 1700000000), 5, message(1, 1700000060)),
		"\x03\x01\x00user":                                   message(2, "user", 3, "User", 4, "USER"),
		"\x03\x01\x00group":                                  message(2, "group", 3, "Group", 4, "GROUP"),
		"\x03\x02\x00user\x00u":                              message(2, "user", 3, "u", 4, "Ada", 10, message(1, 2)),
		"\x03\x02\x00group\x00g":                             message(2, "group", 3, "g", 4, "Staff", 6, user),
		"\x03\x03\x00group\x00g\x001\x00member":              message(2, "group:g:member", 3, group, 4, "Member", 6, "ASSIGNMENT", 9, "member", 10, "user"),
		"\x03\x04\x00group\x00g\x001\x00member\x00user\x00u": message(3, message(1, "group", 2, "g", 3, "group:g:member"), 4, user),
	}}
}

const smallFacts = "sync\ta-sync\tfull\tfinished\n" +
	"entitlement\tgroup:g:member\tgroup/g\tMember\tmember\tASSIGNMENT\tuser\n" +
	"grant\tgroup:g:member:user:u\tgroup:g:member\tgroup/g\tuser/u\t\t\n" +
	"resource\tgroup/g\tStaff\tuser/u\t\n" +
	"resource\tuser/u\tAda\t\t\n" +
	"type\tgroup\tGroup\tGROUP\n" +
	"type\tuser\tUser\tUSER\n"

// write writes the file.
func (f *file) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: 24, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range f.records {
		if err := db.Set([]byte(k), v, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "LOCK" || e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		f.parts[e.Name()] = b
	}
	manifest := message(1, f.engine, 2, 24, 4, f.encoding)
	out := append([]byte(c1z3.Magic), binary.BigEndian.AppendUint32(nil, uint32(len(manifest)))...)
	out = append(out, manifest...)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	switch f.encoding {
	case 5:
		var index []byte
		for name, b := range f.parts {
			frame, sum := encoder.EncodeAll(b, nil), sha256.Sum256(b)
			if len(frame) == 0 { // the encoder writes no frame for empty content
				frame = []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0}
			}
			index = append(index, message(1, message(1, name, 2, len(out), 3, len(frame), 4, len(b), 5, xxhash.Sum64(b), 6, sum[:]))...)
			out = append(out, frame...)
		}
		index = append(index, message(4, xxhash.Sum64(manifest))...)
		at := uint64(len(out))
		out = append(out, index...)
		out = binary.BigEndian.AppendUint64(out, at)
		out = binary.BigEndian.AppendUint32(out, uint32(len(index)))
		out = binary.BigEndian.AppendUint64(out, xxhash.Sum64(index))
		out = append(out, "C1ZIDX1\x00"...)
	default:
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for name, content := range f.parts {
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if f.encoding == 1 {
			out = append(out, encoder.EncodeAll(b.Bytes(), nil)...)
		} else {
			out = append(out, b.Bytes()...)
		}
	}
	path := filepath.Join(t.TempDir(), "made.c1z")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func TestEncodings(t *testing.T) {
	for _, encoding := range []int{1, 2, 5} {
		f := small()
		f.encoding = encoding
		got, err := factsOf(t, f.write(t))
		if err != nil || got != smallFacts {
			t.Errorf("encoding %d: %v\n%s", encoding, err, got)
		}
	}
}

// TestOlderKeys reads engine pebble2, whose entitlements and grants have different keys.
func TestOlderKeys(t *testing.T) {
	f := small()
	f.engine = "pebble2"
	delete(f.records, "\x03\xffgrant_entitlement_id_format")
	for old, key := range map[string]string{
		"\x03\x03\x00group\x00g\x001\x00member":              "\x03\x03\x00group:g:member",
		"\x03\x04\x00group\x00g\x001\x00member\x00user\x00u": "\x03\x04\x00group:g:member:user:u",
	} {
		f.records[key] = f.records[old]
		delete(f.records, old)
	}
	if got, err := factsOf(t, f.write(t)); err != nil || got != smallFacts {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *file)
		kind   baton.Kind
		says   string
	}{
		{"unknown engine", func(f *file) { f.engine = "rocks1" }, baton.Unsupported, `"rocks1"`},
		{"unknown encoding", func(f *file) { f.encoding = 3 }, baton.Unsupported, "encoding 3"},
		{"older layout", func(f *file) { delete(f.records, "\x03\xffkeyspace_version") }, baton.Unsupported, "version 0"},
		{"newer layout", func(f *file) { f.records["\x03\xffkeyspace_version"] = []byte{0, 0, 0, 3} }, baton.Unsupported, "version 3"},
		{"short stamp", func(f *file) { f.records["\x03\xffkeyspace_version"] = []byte{2} }, baton.Corrupt, "1 bytes"},
		{"unreleased ids", func(f *file) { f.records["\x03\xffgrant_entitlement_id_format"] = []byte{0, 0, 0, 1} }, baton.Unsupported, "format 1"},
		{"two syncs", func(f *file) { f.records["\x03\x06\x00b"] = message(1, "b") }, baton.Corrupt, "more than one sync"},
		{"a record under another's key", func(f *file) { f.records["\x03\x02\x00user\x00v"] = message(2, "user", 3, "w") }, baton.Corrupt, "stored under"},
		{"a record that is no message", func(f *file) { f.records["\x03\x02\x00user\x00v"] = []byte{0xff} }, baton.Corrupt, "cannot be read"},
		{"a name outside", func(f *file) { f.parts["../outside"] = nil }, baton.Corrupt, "unusable name"},
		{"an absolute name", func(f *file) { f.parts["/tmp/outside"] = nil }, baton.Corrupt, "unusable name"},
		{"no tables", func(f *file) { f.records = nil }, baton.Unsupported, "version 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := small()
			tt.change(f)
			_, err := factsOf(t, f.write(t))
			if baton.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v (%v)", err, baton.KindOf(err))
			}
		})
	}
}

// TestBomb refuses a file that unpacks to more than the limits allow.
func TestBomb(t *testing.T) {
	for _, encoding := range []int{1, 5} {
		f := small()
		f.encoding = encoding
		f.parts["big"] = make([]byte, 8<<20)
		limits := c1z3.Limits{Window: 64 << 20, Decoded: 1 << 20, Ratio: 1}
		_, err := openPath(t, f.write(t), t.TempDir(), limits)
		if baton.KindOf(err) != baton.Unsupported || !strings.Contains(err.Error(), "more than this program accepts") {
			t.Errorf("encoding %d: %v", encoding, err)
		}
	}
}

// FuzzOpen opens files with arbitrary hashes: whatever the bytes are, the result is a file or a
// classified error.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(c1z3.Magic + "\x00\x00\x00\x0b\x0a\x07pebble3\x20\x02"))
	f.Add([]byte(c1z3.Magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := c1z3.Open(bytes.NewReader(b), int64(len(b)), "fuzz.c1z", t.TempDir(), c1z3.Limits{Window: 1 << 20, Decoded: 1 << 20, Ratio: 1})
		if err != nil {
			if kind := baton.KindOf(err); kind != baton.Corrupt && kind != baton.Unsupported {
				t.Fatalf("%v (%v)", err, kind)
			}
			return
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
