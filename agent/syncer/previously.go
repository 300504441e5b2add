package syncer

import (
	"baton"
	"baton/c1z"
)

// Holds reports whether any finished sync in the file at path has the resource. A file
// that does not exist has none. tempDir is where the file is unpacked; "" is beside it.
func Holds(path, tempDir string, id baton.ResourceID) (bool, error) {
	f, err := c1z.Open(path, tempDir)
	if baton.KindOf(err) == baton.NotFound && err != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	held, err := holds(f, id)
	return held, first(err, f.Close())
}

func holds(f *c1z.File, id baton.ResourceID) (bool, error) {
	for _, s := range f.Syncs() {
		if s.Ended.IsZero() {
			continue
		}
		at, err := f.At(s.ID)
		if err != nil {
			return false, err
		}
		_, err = at.Resource(id)
		if err == nil || baton.KindOf(err) != baton.NotFound {
			return err == nil, err
		}
	}
	return false, nil
}
