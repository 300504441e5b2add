package syncer

import (
	"baton"
	"baton/c1z"
	"cmp"
	"context"
	"path/filepath"
)

// Holds reports whether a finished sync in the file at path has the resource. A file that
// does not exist has none. tempDir is the directory to unpack the file in; "" is that of the
// file.
func Holds(path, tempDir string, id baton.ResourceID) (bool, error) {
	ctx := context.Background()
	f, err := c1z.Opener{TempDir: cmp.Or(tempDir, filepath.Dir(path))}.Open(ctx, path)
	if baton.KindOf(err) == baton.NotFound && err != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	held, err := holds(ctx, f, id)
	return held, cmp.Or(err, f.Close())
}

func holds(ctx context.Context, f *c1z.File, id baton.ResourceID) (bool, error) {
	for _, s := range f.Syncs() {
		if !s.Finished() {
			continue
		}
		_, err := s.Resource(ctx, id)
		if err == nil || baton.KindOf(err) != baton.NotFound {
			return err == nil, err
		}
	}
	return false, nil
}
