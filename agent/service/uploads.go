package service

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/agent/syncer"
	"baton/internal/disk"
)

// For each kind of full sync, the state directory keeps the last uploaded file and a record
// of the upload. The next sync is compared with the file, or with the record if the file is
// lost.
const (
	uploadPrefix = "uploaded-"
	fileSuffix   = ".c1z"
	recordSuffix = ".json"
	// keepFileFor is how long an uploaded file is kept if no sync is compared with it.
	// Records are kept forever.
	keepFileFor   = 90 * 24 * time.Hour
	maxRecord     = 1 << 20 // bytes
	recordVersion = 1
)

// record describes an upload. Its text is a line of JSON and the checksum of that line.
type record struct {
	Version    int       `json:"version"`
	Connector  string    `json:"connector"`
	Client     string    `json:"client"`                // a hash of the client id
	Types      []string  `json:"types,omitempty"`       // none: all
	SkipGrants bool      `json:"skip_grants,omitempty"` // the sync had no grants
	Uploaded   time.Time `json:"uploaded,omitzero"`     // zero until then
	syncer.Upload
}

// newRecord returns the record of a sync before its upload.
func (s *service) newRecord(cfg syncer.Config, result syncer.Result) record {
	return record{Version: recordVersion, Connector: cfg.Connector.Name, Client: s.clientHash(),
		Types: cfg.Types, SkipGrants: cfg.SkipGrants, Upload: result.Upload(cfg.Connector.Origin)}
}

// encode returns the text of the record.
func (r record) encode() ([]byte, error) {
	line, err := json.Marshal(r)
	return fmt.Appendf(line, "\n%08x\n", checksum(line)), err
}

func checksum(line []byte) uint32 { return crc32.Checksum(line, crc32.MakeTable(crc32.Castagnoli)) }

// parseRecord reads the text of a record. It fails on anything that encode does not write.
func parseRecord(text []byte) (record, error) {
	var r record
	line, sum, _ := bytes.Cut(text, []byte("\n"))
	if string(sum) != fmt.Sprintf("%08x\n", checksum(line)) {
		return r, errors.New("its checksum is wrong")
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, err
	}
	if r.Version != recordVersion {
		return r, fmt.Errorf("it has version %d, this program writes %d", r.Version, recordVersion)
	}
	if _, err := ksuid.Parse(r.SyncID); err != nil || r.Ended.IsZero() || len(r.Rows) == 0 {
		return r, errors.New("it is incomplete")
	}
	return r, nil
}

func readRecord(path string) (r record, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return r, err
	}
	return parseRecord(text)
}

func (r record) write(path string) error {
	text, err := r.encode()
	if err != nil {
		return err
	}
	_, err = disk.Replace(disk.OS{}, path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	return err
}

// clientHash identifies the connector in ConductorOne.
func (s *service) clientHash() string {
	sum := sha256.Sum256([]byte(s.cfg.ClientID))
	return hex.EncodeToString(sum[:8])
}

// sameSource reports whether the upload is from this connector of ConductorOne or of this
// upstream. One of them may change: the client id when it is rotated, or the address of the
// upstream.
func (s *service) sameSource(r record, c *baton.Connector) bool {
	upstream, _, _ := strings.Cut(c.Origin, "#") // the rest is the part of it that is read
	uploaded, _, _ := strings.Cut(r.Origin, "#")
	return r.Connector == c.Name && (r.Client == s.clientHash() || uploaded == upstream)
}

// guarded reports whether the sync is compared with an upload, and kept as one.
func (s *service) guarded(cfg syncer.Config) bool {
	return !s.cfg.ForgetSyncs && len(cfg.Resources) == 0 && !cfg.SkipEntitlementsAndGrants
}

func (s *service) uploadedFile(key string) string {
	return filepath.Join(s.cfg.StateDir, uploadPrefix+key+fileSuffix)
}

func (s *service) uploadRecord(key string) string {
	return filepath.Join(s.cfg.StateDir, uploadPrefix+key+recordSuffix)
}

// previousUpload is an upload that a sync can be compared with.
type previousUpload struct {
	file   string         // may be missing
	last   *syncer.Upload // nil: there is a file and no record
	covers bool           // it contains everything that the sync reads
	at     time.Time
}

// lastUpload finds the upload that the sync with this key is compared with: the newest one
// from the same source that contains everything that the sync reads or, if there is none, a
// part of it. An upload whose record cannot be read counts as well. file is "" if there is
// no upload.
func (s *service) lastUpload(cfg syncer.Config, key string, log *slog.Logger) (file string, last *syncer.Upload, err error) {
	keys, err := s.uploads()
	if err != nil {
		return "", nil, err
	}
	var found []previousUpload
	unread := false
	for _, k := range keys {
		r, err := readRecord(s.uploadRecord(k))
		p := previousUpload{file: s.uploadedFile(k), covers: true}
		switch {
		case err == nil && s.sameSource(r, cfg.Connector):
			var overlaps bool
			if p.covers, overlaps = r.has(cfg); overlaps {
				p.last, p.at = &r.Upload, r.Ended
				found = append(found, p)
			}
		case err == nil:
		case k == key:
			if !errors.Is(err, fs.ErrNotExist) {
				log.Warn("the record of the last upload cannot be read", "file", s.uploadRecord(k), "error", err)
				p.last = &syncer.Upload{}
			}
			p.at = s.uploadedAt(k)
			found = append(found, p)
		case !errors.Is(err, fs.ErrNotExist):
			unread = true
			log.Warn("the record of an upload cannot be read", "file", s.uploadRecord(k), "error", err)
		}
	}
	if len(found) == 0 {
		if unread { // it may belong to this sync
			return s.uploadedFile(key), &syncer.Upload{}, nil
		}
		return "", nil, nil
	}
	best := slices.MaxFunc(found, func(a, b previousUpload) int {
		if a.covers != b.covers {
			return map[bool]int{true: 1, false: -1}[a.covers]
		}
		return a.at.Compare(b.at)
	})
	return best.file, best.last, nil
}

// has reports whether the upload has all resource types and grants that the sync has, and
// whether it has any of its resource types.
func (r record) has(cfg syncer.Config) (covers, overlaps bool) {
	has := func(t string) bool { return len(r.Types) == 0 || slices.Contains(r.Types, t) }
	covers = !r.SkipGrants || cfg.SkipGrants
	for _, t := range cfg.Connector.ResourceTypes {
		if len(cfg.Types) > 0 && !slices.Contains(cfg.Types, t.ID) {
			continue
		}
		covers, overlaps = covers && has(t.ID), overlaps || has(t.ID)
	}
	return covers, overlaps
}

// uploads lists the keys of the uploads that have a file or a record.
func (s *service) uploads() (keys []string, err error) {
	entries, err := os.ReadDir(s.cfg.StateDir)
	if err != nil {
		return nil, storage(err)
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), uploadPrefix)
		key, isFile := strings.CutSuffix(name, fileSuffix)
		if !isFile {
			key, isFile = strings.CutSuffix(name, recordSuffix)
		}
		if ok && isFile && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// uploadedAt returns the time of the upload with the key, zero if it is unknown.
func (s *service) uploadedAt(key string) (at time.Time) {
	if r, err := readRecord(s.uploadRecord(key)); err == nil {
		at = r.Uploaded
	}
	for _, path := range []string{s.uploadedFile(key), s.uploadRecord(key)} {
		if info, err := os.Lstat(path); err == nil && at.IsZero() {
			at = info.ModTime()
		}
	}
	return at
}

// remember keeps the uploaded file and its record. A failure does not fail the task; the next
// sync is then compared with the files that exist.
func (s *service) remember(sealed, key string, r record, log *slog.Logger) {
	r.Uploaded = time.Now().UTC()
	err := os.Chtimes(sealed, r.Uploaded, r.Uploaded)
	if err == nil {
		// A second name, so that the file can be uploaded again if the answer gets lost.
		second := sealed + ".kept"
		if err = os.Link(sealed, second); err != nil {
			second = sealed // the disk has no hard links
		}
		err = os.Rename(second, s.uploadedFile(key))
	}
	if err != nil {
		log.Warn("the uploaded file cannot be kept; the next sync is compared with row counts", "error", err)
	}
	if err := r.write(s.uploadRecord(key)); err != nil { // also flushes the directory
		log.Warn("the upload cannot be recorded; the next sync is compared with an older one, or with none", "error", err, "fix", baton.FixOf(err))
	}
	s.countUploads()
}

// countUploads sets the metric of known uploads.
func (s *service) countUploads() (n int) {
	keys, err := s.uploads()
	if err != nil {
		s.log.Warn("the state directory cannot be read", "error", err)
	}
	s.metrics.set("baton_uploads_remembered", float64(len(keys)))
	return len(keys)
}

// compared reports the result of the removal guard.
func (s *service) compared(cfg syncer.Config, result syncer.Result, err error, log *slog.Logger) {
	if !s.guarded(cfg) {
		return
	}
	with, held := result.Compared, 0.0
	var h *syncer.Held
	switch {
	case errors.As(err, &h):
		with, held = h.Compared, 1
		s.metrics.count("baton_syncs_held_total", 1)
	case err != nil:
		return
	case with == syncer.NotCompared:
		log.Warn("No previous sync is available here, so this sync cannot be checked for missing rows.")
	case with == syncer.ComparedCounts:
		log.Warn("The file of the last upload is missing or cannot be read, so this sync was compared by its row counts only.")
	case with == syncer.ComparedOverride:
		log.Warn("No previous sync is available here, so this sync was compared only with the one that the override was made for.")
	}
	s.metrics.set("baton_sync_held", held)
	s.metrics.set("baton_sync_compared", map[bool]float64{true: 1}[with == syncer.ComparedRows || with == syncer.ComparedCounts])
}

// sweepUploads removes files that no sync was compared with for a long time, or all files if
// uploads are not kept. It sets the metric of the last upload, and logs what the next sync can
// be compared with.
func (s *service) sweepUploads() error {
	keys, err := s.uploads()
	if err != nil {
		return err
	}
	var last time.Time
	for _, key := range keys {
		at := s.uploadedAt(key)
		var old []string
		switch info, err := os.Lstat(s.uploadedFile(key)); {
		case s.cfg.ForgetSyncs:
			old = []string{s.uploadedFile(key), s.uploadRecord(key)}
		case err == nil && (time.Since(info.ModTime()) > keepFileFor || !info.Mode().IsRegular()):
			old = []string{s.uploadedFile(key)}
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.log.Warn("an old upload cannot be removed", "error", err)
			}
		}
		if at.After(last) && !s.cfg.ForgetSyncs {
			last = at
		}
	}
	if !last.IsZero() {
		s.metrics.set("baton_last_successful_sync_timestamp_seconds", float64(last.Unix()))
	}
	s.reportMemory(s.countUploads(), last)
	return nil
}

// reportMemory logs what the next sync can be compared with.
func (s *service) reportMemory(uploads int, last time.Time) {
	why := cmp.Or(s.cfg.StateIsTemporary, temporary(s.cfg.StateDir, os.DirFS("/")))
	s.metrics.set("baton_state_temporary", map[bool]float64{true: 1}[why != ""])
	switch {
	case s.cfg.ForgetSyncs:
		s.log.Warn("No sync is checked for missing rows, because uploads are not kept.", "setting", "keep-previous-sync-c1z")
		return
	case uploads == 0:
		s.log.Warn("No earlier upload is known here, so the first sync cannot be checked for missing rows and is uploaded as it is.", "dir", s.cfg.StateDir)
	default:
		s.log.Info("earlier uploads are known", "uploads", uploads, "last", last, "dir", s.cfg.StateDir)
	}
	if why != "" {
		s.log.Warn("The state directory ends with this service, so the next instance cannot check its first sync for missing rows.", "dir", s.cfg.StateDir, "why", why,
			"fix", "mount a volume that outlives the service, and set BATON_C1Z_TEMP_DIR to it")
	}
}
