package evidence

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"
)

// Content is a member with its content.
type Content struct {
	Name string
	Text string
}

// memory is a file in memory.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if grow := int(at) + len(p) - len(m.b); grow > 0 {
		m.b = append(m.b, make([]byte, grow)...)
	}
	return copy(m.b[at:], p), nil
}

func (m *memory) ReadAt(p []byte, at int64) (int, error) { return bytes.NewReader(m.b).ReadAt(p, at) }

// Contents returns the members of a pack.
func Contents(pack []byte) (all []Content) {
	a, err := openArchive(bytes.NewReader(pack), int64(len(pack)), func(m, format string, args ...any) { panic(fmt.Sprintf(m+" "+format, args...)) })
	if err != nil {
		panic(err)
	}
	for _, e := range a.entries {
		b, _ := io.ReadAll(a.open(e))
		all = append(all, Content{e.name, string(b)})
	}
	return all
}

// Archive returns the archive of members as they are.
func Archive(members []Content) []byte {
	m := &memory{}
	a := &archive{f: m}
	for _, c := range members {
		if _, err := a.add(c.Name, func(w io.Writer) error { _, err := io.WriteString(w, c.Text); return err }); err != nil {
			panic(err)
		}
	}
	if _, err := a.close(); err != nil {
		panic(err)
	}
	return m.b
}

// Resign returns a pack with other members, with a manifest of them that is signed with a key, as
// whoever has the key can make it.
func Resign(members []Content, key ed25519.PrivateKey, change func(*Manifest)) []byte {
	var m Manifest
	var kept []Content
	for _, c := range members {
		switch c.Name {
		case manifestName:
			var err error
			if m, err = decodeManifest([]byte(c.Text)); err != nil {
				panic(err)
			}
		case signatureName:
		default:
			kept = append(kept, c)
		}
	}
	list, err := openArchive(bytes.NewReader(Archive(kept)), int64(len(Archive(kept))), func(string, string, ...any) {})
	if err != nil {
		panic(err)
	}
	_ = list.check(func(string, string, ...any) {})
	m.Members = nil
	for _, e := range list.entries {
		m.Members = append(m.Members, Member{e.name, e.size, e.sum})
	}
	if change != nil {
		change(&m)
	}
	text := m.encode()
	return Archive(append(kept, Content{manifestName, string(text)}, Content{signatureName, string(ed25519.Sign(key, text))}))
}

// CSV returns lines of JSON as the CSV member with a name has them, if they are lines of JSON.
func CSV(name, lines string) (string, bool) {
	columns := csvColumns[name]
	if columns == nil {
		columns = itemColumns
	}
	var b bytes.Buffer
	err := writeCSV(&b, strings.NewReader(lines), columns)
	return b.String(), err == nil
}
