package config

import "baton/console"

// Retention says how long records are kept. Limits that are left out are the console's own.
type Retention struct {
	SyncFiles   *int `yaml:"sync_files,omitempty"` // of each connector
	MailDays    *int `yaml:"mail_days,omitempty"`
	TaskDays    *int `yaml:"task_days,omitempty"`    // 0: for ever
	HistoryDays *int `yaml:"history_days,omitempty"` // 0: for ever
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
func (a *applying) applyRetention() error {
	if a.Retention == nil {
		return nil
	}
	want := a.Retention.retention()
	before, err := a.t.Retention()
	if err != nil || before == want {
		return err
	}
	return a.t.SetRetention(want, "the configuration file says so")
}
