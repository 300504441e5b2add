package web

import (
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type retention struct {
	View    govern.RetentionView
	Form    retentionForm
	Problem *problem
	Saved   bool
	Limits  struct{ Files, Tasks, History int }
}

// retentionForm holds the entered values. An empty number of days means for ever.
type retentionForm struct{ Files, Mails, Tasks, History, Why string }

func (c *call) retention() (p retention, err error) {
	p.View, err = c.console().Retention(c.ctx(), c.caller)
	days := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	r := p.View.Retention
	p.Form = retentionForm{Files: days(r.SyncFiles), Mails: days(r.MailDays), Tasks: days(r.TaskDays), History: days(r.HistoryDays)}
	p.Limits.Files, p.Limits.Tasks, p.Limits.History = console.MaxSyncFiles, console.MinTaskDays, console.MinHistoryDays
	p.Saved = c.r.FormValue("saved") != ""
	return p, err
}

func retentionPage(c *call) error {
	p, err := c.retention()
	if err != nil {
		return err
	}
	return c.page("retention", "Retention", p)
}

func setRetention(c *call) error {
	f := retentionForm{Files: c.r.PostFormValue("files"), Mails: c.r.PostFormValue("mails"), Tasks: c.r.PostFormValue("tasks"), History: c.r.PostFormValue("history"), Why: c.r.PostFormValue("why")}
	var r console.Retention
	var err error
	for _, n := range []struct {
		to   *int
		text string
	}{{&r.SyncFiles, f.Files}, {&r.MailDays, f.Mails}, {&r.TaskDays, f.Tasks}, {&r.HistoryDays, f.History}} {
		if s := strings.TrimSpace(n.text); s != "" && err == nil {
			if *n.to, err = strconv.Atoi(s); err != nil {
				err = baton.Errorf(baton.Invalid, "%q is no number", s).WithFix("Write a number of days, or nothing for ever.")
			}
		}
	}
	if err == nil {
		err = c.console().SetRetention(c.ctx(), c.caller, r, f.Why)
	}
	if err != nil && baton.KindOf(err) == baton.Invalid {
		p, failed := c.retention() // also whether the person may see it
		if failed != nil {
			return failed
		}
		if !p.View.MayChange {
			return console.ConfigureSettings.Check(c.caller.Person, console.Object{})
		}
		p.Form, p.Problem = f, problemOf(err)
		return c.show(statusOf(err), "retention", "Retention", p)
	}
	if err != nil {
		return err
	}
	return c.redirect("/settings/retention?saved=1")
}
