package config

import (
	"baton/console"
	"baton/console/store"
)

// Retention says how long records are kept. Limits that are left out are the console's own.
type Retention struct {
	SyncFiles   *int `yaml:"sync_files"` // of each connector
	MailDays    *int `yaml:"mail_days"`
	TaskDays    *int `yaml:"task_days"`    // 0: for ever
	HistoryDays *int `yaml:"history_days"` // 0: for ever
}

func (r Retention) retention() console.Retention {
	k := console.DefaultRetention()
	for _, f := range []struct {
		to   *int
		from *int
	}{{&k.SyncFiles, r.SyncFiles}, {&k.MailDays, r.MailDays}, {&k.TaskDays, r.TaskDays}, {&k.HistoryDays, r.HistoryDays}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return k
}

// applyRetention sets how long records are kept, unless that is so already.
func applyRetention(t *store.Tx, r console.Retention) error {
	before, err := t.Retention()
	if err != nil || before == r {
		return err
	}
	return t.SetRetention(r, "the configuration file says so")
}
