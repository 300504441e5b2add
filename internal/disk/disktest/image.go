package disktest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Cut selects what a power cut leaves of data that was not flushed.
type Cut string

// The cuts. A file system may keep names and bytes in any order that a flush does not forbid.
const (
	Strict Cut = "strict" // nothing
	Names  Cut = "names"  // all names, and no bytes: a renamed file may be empty
	Bytes  Cut = "bytes"  // all bytes, and no names
	Torn   Cut = "torn"   // all names, and some sectors of the bytes
	Killed Cut = "killed" // everything: the process died, and the machine did not
)

// Cuts returns all cuts.
func Cuts() []Cut { return []Cut{Strict, Names, Bytes, Torn, Killed} }

// sector is the size that a disk writes atomically.
const sector = 512

// book records what is durable.
type book struct {
	root    string
	now     map[string]*node // by path; directories have one, too
	durable map[string]*node
}

// node is a file, independent of its name.
type node struct {
	dir   bool
	saved []byte // the bytes flushed last
}

func (b *book) begin(root string) error {
	b.root, b.now, b.durable = filepath.Clean(root), map[string]*node{}, map[string]*node{}
	return filepath.WalkDir(b.root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n := &node{dir: e.IsDir()}
		if e.Type().IsRegular() {
			if n.saved, err = os.ReadFile(name); err != nil {
				return err
			}
		}
		b.now[name], b.durable[name] = n, n
		return nil
	})
}

// opened returns the node of an opened file, which may be new.
func (b *book) opened(name string) *node {
	name = filepath.Clean(name)
	n := b.now[name]
	if n == nil {
		n = &node{}
		b.now[name] = n
	}
	return n
}

func (b *book) made(name string) {
	for name = filepath.Clean(name); b.now[name] == nil && strings.HasPrefix(name, b.root); name = filepath.Dir(name) {
		b.now[name] = &node{dir: true}
	}
}

func (b *book) renamed(from, to string) {
	from, to = filepath.Clean(from), filepath.Clean(to)
	b.now[to] = b.now[from]
	delete(b.now, from)
}

func (b *book) removed(name string) { delete(b.now, filepath.Clean(name)) }

// syncedDir makes the current names in a directory durable. The directory itself is as durable as its own
// name.
func (b *book) syncedDir(dir string) {
	dir = filepath.Clean(dir)
	in := func(name string, _ *node) bool { return filepath.Dir(name) == dir && name != dir }
	maps.DeleteFunc(b.durable, in)
	for name, n := range b.now {
		if in(name, n) {
			b.durable[name] = n
		}
	}
}

// synced makes the current bytes of a file durable.
func (n *node) synced(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	n.saved, err = io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
	return err
}

// Image is a folder after a cut: the contents of files, and nil for folders, by their paths below it.
type Image map[string][]byte

// Image returns what a cut would leave now. With Torn, the seed decides. It may be called from Before, or
// while no operation runs.
func (d *Disk) Image(cut Cut, seed uint64) (Image, error) {
	r := rand.New(rand.NewPCG(seed, 0))
	names := d.book.now
	if cut == Strict || cut == Bytes {
		names = d.book.durable
	}
	image := Image{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		if !d.book.reachable(names, name) {
			continue
		}
		rel, err := filepath.Rel(d.book.root, name)
		if err != nil {
			return nil, err
		}
		if n.dir {
			image[rel] = nil
			continue
		}
		content := n.saved
		if d.book.now[name] == n && cut != Strict && cut != Names {
			live, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			if content = live; cut == Torn {
				content = torn(n.saved, live, r)
			}
		}
		image[rel] = append([]byte{}, content...)
	}
	return image, nil
}

// Sum returns a hash that is equal for equal images.
func (im Image) Sum() [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(im)) {
		fmt.Fprintf(h, "%q %t %x\n", name, im[name] == nil, sha256.Sum256(im[name]))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Write writes the image to a directory.
func (im Image) Write(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(im)) {
		to := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(to), 0o700)
		switch {
		case err != nil:
		case im[name] == nil:
			err = os.MkdirAll(to, 0o700)
		default:
			err = os.WriteFile(to, im[name], 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reachable reports whether all folders above a name exist.
func (b *book) reachable(names map[string]*node, name string) bool {
	for name != b.root {
		name = filepath.Dir(name)
		if n := names[name]; n == nil || !n.dir {
			return false
		}
	}
	return true
}

// torn mixes the sectors of the flushed bytes and of those written since. A file that grew may have any
// length up to the new one, with zeros in place of missing sectors.
func torn(saved, live []byte, r *rand.Rand) []byte {
	size := len(live)
	if len(saved) < size {
		size = len(saved) + r.IntN(len(live)-len(saved)+1)
	}
	mixed := make([]byte, size)
	for at := 0; at < size; at += sector {
		from := live
		if r.IntN(2) == 0 {
			from = saved
		}
		if at < len(from) {
			copy(mixed[at:min(at+sector, size)], from[at:])
		}
	}
	return mixed
}
