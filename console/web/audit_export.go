package web

import (
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type auditExport struct {
	View    govern.AuditExportView
	Form    auditExportForm
	Problem *problem
	Saved   bool
}

// auditExportForm holds the entered values.
type auditExportForm struct {
	Host, Port, TLS, Mails, URL string
}

// Behind returns how many events the syslog server has not got yet.
func (p auditExport) Behind() int64 { return max(p.View.Head.Number-p.View.Sent, 0) }

func (c *call) auditExport() (p auditExport, err error) {
	p.View, err = c.console().AuditExport(c.ctx(), c.caller)
	x := p.View.Export
	p.Form = auditExportForm{Host: x.Syslog.Host, Port: strconv.Itoa(x.Syslog.Port), TLS: "tls", Mails: strings.Join(x.HeadMails, "\n"), URL: x.HeadURL}
	if x.Syslog.Plain {
		p.Form.TLS = "none"
	}
	if x.Syslog.Host == "" {
		p.Form.Port = "6514"
	}
	p.Saved = c.r.FormValue("saved") != ""
	return p, err
}

func auditExportPage(c *call) error {
	p, err := c.auditExport()
	if err != nil {
		return err
	}
	return c.page("audit-export", "Audit export", p)
}

func configureAuditExport(c *call) error {
	f := auditExportForm{Host: c.r.PostFormValue("host"), Port: c.r.PostFormValue("port"), TLS: c.r.PostFormValue("tls"), Mails: c.r.PostFormValue("mails"), URL: c.r.PostFormValue("url")}
	port, _ := strconv.Atoi(f.Port) // 0 is refused later
	x := console.AuditExport{Syslog: console.SyslogServer{Host: f.Host, Port: port, Plain: f.TLS == "none"}, HeadURL: f.URL,
		HeadMails: strings.FieldsFunc(f.Mails, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ' ' })}
	err := c.console().ConfigureAuditExport(c.ctx(), c.caller, x, baton.NewSecret(c.r.PostFormValue("authorization")))
	if err != nil && baton.KindOf(err) == baton.Invalid {
		p, failed := c.auditExport()
		if failed != nil {
			return failed
		}
		p.Form, p.Problem = f, problemOf(err)
		return c.show(statusOf(err), "audit-export", "Audit export", p)
	}
	if err != nil {
		return err
	}
	return c.redirect("/settings/audit?saved=1")
}
