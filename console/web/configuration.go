package web

import (
	"net/url"
	"strings"

	"baton/console"
	"baton/console/govern"
)

// configurationPage shows which configuration files were applied, and what differs since.
func configurationPage(c *call) error {
	sources, err := c.console().ConfigurationSources(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("configuration", "Configuration", sources)
}

// exportConfiguration sends the configuration as a file.
func exportConfiguration(c *call) error {
	text, err := c.console().ExportConfiguration(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Content-Disposition", `attachment; filename="configuration.yaml"`)
	c.w.Write(text) // an error means that the browser is gone
	return nil
}

// configuredPath returns the address of the page of a configured object.
func configuredPath(o console.ConfiguredObject) string {
	id := url.PathEscape(o.ID)
	switch o.Kind {
	case console.ConfiguredPerson:
		return "/people/" + id
	case console.ConfiguredApp:
		return "/applications/" + id + "/settings"
	case console.ConfiguredConnector:
		return "/connectors/" + id + "/settings"
	case console.ConfiguredPolicy:
		return "/policies/" + id
	case console.ConfiguredRequirement:
		app, _, _ := strings.Cut(o.ID, "/")
		return "/applications/" + url.PathEscape(app) + "/entitlements"
	case console.ConfiguredIncompatible:
		return "/findings"
	case console.ConfiguredAutomation:
		if strings.Contains(o.ID, "/") { // it is not there yet
			return "/automations"
		}
		return "/automations/" + id
	case console.ConfiguredProvider:
		return "/settings/sign-in/" + id
	case console.ConfiguredMail:
		return "/settings/mail"
	case console.ConfiguredRetention:
		return "/settings/retention"
	}
	return ""
}

// configuredName returns the name of a configured object for display.
func configuredName(o console.ConfiguredObject) string {
	switch o.Kind {
	case console.ConfiguredMail:
		return "Mail server"
	case console.ConfiguredRetention:
		return "Retention"
	}
	return strings.ToUpper(string(o.Kind[:1])) + string(o.Kind[1:]) + " “" + text(o.Name) + "”"
}

// driftRows returns one row for each field that differs.
func driftRows(v govern.DriftView) (rows []driftRow) {
	for i, f := range v.Fields {
		rows = append(rows, driftRow{First: i == 0, Rows: len(v.Fields), View: v, Field: f})
	}
	return rows
}

// driftRow is a field that differs. The first row of an object has its name.
type driftRow struct {
	First bool
	Rows  int
	View  govern.DriftView
	Field console.ConfigurationField
}

// managedPages are the patterns of pages about one object that files may describe: its kind, and the
// name of its ID in the pattern; an ID without braces is a constant.
var managedPages = map[string]struct {
	kind console.ConfigurationKind
	id   string
}{
	"GET /people/{person}":                      {console.ConfiguredPerson, "{person}"},
	"GET /people/{person}/edit":                 {console.ConfiguredPerson, "{person}"},
	"GET /applications/{app}/settings":          {console.ConfiguredApp, "{app}"},
	"GET /applications/{app}/settings/edit":     {console.ConfiguredApp, "{app}"},
	"GET /applications/{app}/requests":          {console.ConfiguredApp, "{app}"},
	"GET /connectors/{connector}/settings":      {console.ConfiguredConnector, "{connector}"},
	"GET /connectors/{connector}/settings/edit": {console.ConfiguredConnector, "{connector}"},
	"GET /policies/{policy}":                    {console.ConfiguredPolicy, "{policy}"},
	"GET /automations/{automation}":             {console.ConfiguredAutomation, "{automation}"},
	"GET /settings/sign-in/{provider}":          {console.ConfiguredProvider, "{provider}"},
	"GET /settings/mail":                        {console.ConfiguredMail, "mail"},
	"GET /settings/retention":                   {console.ConfiguredRetention, "retention"},
}

// managedBy returns the name of the files that describe the object of the page; "" if none do.
func (c *call) managedBy(data any) (string, error) {
	kind, id := console.ConfigurationKind(""), ""
	if p, ok := managedPages[c.r.Pattern]; ok {
		kind, id = p.kind, p.id
		if name, isValue := strings.CutPrefix(id, "{"); isValue {
			id = c.r.PathValue(strings.TrimSuffix(name, "}"))
		}
	} else if r, ok := data.(requirementDetail); ok {
		kind, id = console.ConfiguredRequirement, console.RequirementObject(r.App.ID, r.Entitlement.ID)
	}
	if kind == "" || c.caller.Person.ID == "" || !c.moment().At.IsZero() {
		return "", nil
	}
	return c.console().ManagedBy(c.ctx(), c.caller, kind, id)
}
