package service

import (
	"path/filepath"

	"baton"
	"baton/agent/syncer"
)

// previously reports whether a sync that was uploaded to ConductorOne, and that is still kept
// here, has the resource. A file that cannot be read counts as empty.
func (s *service) previously(id baton.ResourceID) (bool, error) {
	files, _ := filepath.Glob(filepath.Join(s.cfg.StateDir, uploadPrefix+"*"+fileSuffix))
	for _, path := range files {
		held, err := syncer.Holds(path, s.cfg.StateDir, id)
		if held {
			return true, nil
		}
		if err != nil {
			s.log.Warn("a previous sync cannot be read", "error", err)
		}
	}
	return false, nil
}
