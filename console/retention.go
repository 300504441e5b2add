package console

import (
	"time"

	"baton"
)

// Retention says how long records are kept. What it does not name is kept for ever: events, requests
// and their decisions, reasons, operations, syncs and the hashes of their files.
type Retention struct {
	// SyncFiles is the number of files that are kept for each connector. A held sync keeps its file,
	// and so does whoever named one, whatever the number is.
	SyncFiles int `json:"sync_files" yaml:"sync_files"`
	// MailDays is how long sent and failed mails are kept, with the notices in them.
	MailDays int `json:"mail_days" yaml:"mail_days"`
	// TaskDays is how long the finished tasks of connectors are kept, with what connectors said about
	// them; 0: for ever.
	TaskDays int `json:"task_days" yaml:"task_days"`
	// HistoryDays is how long access that ended is kept; 0: for ever. What was so before is unknown
	// afterwards.
	HistoryDays int `json:"history_days" yaml:"history_days"`
}

// DefaultRetention is how long records are kept unless somebody says otherwise.
func DefaultRetention() Retention { return Retention{SyncFiles: 10, MailDays: 30} }

// The limits of retention.
const (
	MaxSyncFiles     = 1000
	MinHistoryDays   = 30
	MinTaskDays      = 7
	maxRetentionDays = 100 * 366
)

// Check returns an Invalid error if a limit is out of range.
func (r Retention) Check() error {
	switch {
	case r.SyncFiles < 1 || r.SyncFiles > MaxSyncFiles:
		return baton.Errorf(baton.Invalid, "%d sync files cannot be kept", r.SyncFiles).WithFix("Keep 1 to %d of each connector.", MaxSyncFiles)
	case r.MailDays < 1 || r.MailDays > maxRetentionDays:
		return baton.Errorf(baton.Invalid, "mails cannot be kept for %d days", r.MailDays).WithFix("Keep them for at least one day.")
	case r.TaskDays != 0 && r.TaskDays < MinTaskDays || r.TaskDays > maxRetentionDays:
		return baton.Errorf(baton.Invalid, "tasks cannot be kept for %d days", r.TaskDays).WithFix("Keep them for at least %d days, or for ever: 0.", MinTaskDays)
	case r.HistoryDays != 0 && r.HistoryDays < MinHistoryDays || r.HistoryDays > maxRetentionDays:
		return baton.Errorf(baton.Invalid, "history cannot be kept for %d days", r.HistoryDays).WithFix("Keep it for at least %d days, or for ever: 0.", MinHistoryDays)
	}
	return nil
}

// Before returns the end of what is older than a number of days, at the beginning of a day, so that
// it moves once a day; zero if the number is 0.
func (Retention) Before(now time.Time, days int) time.Time {
	if days == 0 {
		return time.Time{}
	}
	return now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)
}
