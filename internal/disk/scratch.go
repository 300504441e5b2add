package disk

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// Scratch is a temporary file that only its owner can read.
type Scratch struct {
	File
	fsys FS
	gone bool // the name is removed; the file exists until it is closed
}

// NewScratch makes a scratch file in dir, or in the default directory for temporary files if dir is
// empty. Its name begins with the prefix.
func NewScratch(fsys FS, dir, prefix string) (*Scratch, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	for tries := 0; ; tries++ {
		name := filepath.Join(dir, prefix+strconv.FormatUint(rand.Uint64(), 36))
		f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) && tries < 100 {
			continue
		}
		if err != nil {
			return nil, Errorf(err, name, "make a scratch file in %s", dir)
		}
		return &Scratch{File: f, fsys: fsys}, nil
	}
}

// Hide removes the name of the file, where the system allows that for open files. Then nothing is
// left over even if the process is killed.
func (s *Scratch) Hide() {
	if runtime.GOOS != "windows" && s.fsys.Remove(s.Name()) == nil {
		s.gone = true
	}
}

// Hidden reports whether the file has no name.
func (s *Scratch) Hidden() bool { return s.gone }

// Close removes the file.
func (s *Scratch) Close() error {
	err := s.File.Close()
	if !s.gone {
		if e := s.fsys.Remove(s.Name()); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return Errorf(err, s.Name(), "remove %s", s.Name())
}
