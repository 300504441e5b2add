package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

type auditPage struct {
	govern.AuditPage
	Filter      govern.AuditFilter
	From, Until string // dates in the form's format
	Narrowed    []narrowing
	Next        string
	Export      string // query of the export's address
	MayExport   bool
	Report      *store.ChainReport // of a check that was just made
	Problem     *problem
}

// narrowing is a part of the filter, with a link that removes it.
type narrowing struct{ Label, Without string }

// dayOf decodes a parameter that is a day, and returns the midnight that many days after its beginning;
// the zero time if it is missing.
func (c *call) dayOf(name string, plus int) (t time.Time, err error) {
	s := strings.TrimSpace(c.r.FormValue(name))
	if s == "" {
		return t, nil
	}
	if t, err = time.Parse(time.DateOnly, s); err != nil {
		return t, baton.Errorf(baton.Invalid, "%q is not a day", s).WithFix("Write it like 2026-03-01.")
	}
	return t.AddDate(0, 0, plus), nil
}

// auditFilter decodes the filter of the audit log.
func (c *call) auditFilter() (f govern.AuditFilter, query url.Values, err error) {
	query = url.Values{}
	text := func(name string) string {
		v := strings.TrimSpace(c.r.FormValue(name))
		if v != "" {
			query.Set(name, v)
		}
		return v
	}
	f.Kind, f.App, f.Connector, f.Person, f.Source = text("kind"), console.ID(text("app")), console.ID(text("connector")), console.ID(text("person")), text("source")
	text("from")
	text("until")
	if f.From, err = c.dayOf("from", 0); err == nil {
		f.Until, err = c.dayOf("until", 1)
	}
	return f, query, err
}

func (c *call) audit() (p auditPage, err error) {
	f, query, err := c.auditFilter()
	if err != nil {
		return p, err
	}
	before := int64(0)
	if s := c.r.FormValue("before"); s != "" {
		if before, err = strconv.ParseInt(s, 10, 64); err != nil || before < 1 {
			return p, baton.Errorf(baton.Invalid, "the address of this page is damaged").WithFix("Begin the list anew.")
		}
	}
	if p.AuditPage, err = c.console().Audit(c.ctx(), c.caller, f, before, rowsPerPage); err != nil {
		return p, err
	}
	p.Filter, p.From, p.Until, p.MayExport, p.Export = f, query.Get("from"), query.Get("until"), p.All, query.Encode()
	if p.Before > 0 {
		next := clone(query)
		next.Set("before", strconv.FormatInt(p.Before, 10))
		p.Next = "/audit?" + next.Encode()
	}
	for _, n := range []struct{ name, label string }{{"app", "one application"}, {"connector", "one connector"}, {"person", "one person"}, {"source", "one program"}} {
		if query.Has(n.name) {
			rest := clone(query)
			rest.Del(n.name)
			p.Narrowed = append(p.Narrowed, narrowing{n.label, "/audit?" + rest.Encode()})
		}
	}
	return p, nil
}

func clone(v url.Values) url.Values {
	c := url.Values{}
	for name, values := range v {
		c[name] = slices.Clone(values)
	}
	return c
}

func auditLog(c *call) error {
	p, err := c.audit()
	if err != nil {
		return err
	}
	return c.page("audit", "Audit", p)
}

// exportAudit writes events as JSON lines.
func exportAudit(c *call) error {
	f, _, err := c.auditFilter()
	if err != nil {
		return err
	}
	began := false
	encoder := json.NewEncoder(c.w)
	err = c.console().ExportAudit(c.ctx(), c.caller, f, func(l govern.AuditLine) error {
		if !began {
			began = true
			c.download("application/jsonl", "audit-"+c.console().Now().UTC().Format("20060102T150405Z")+".jsonl")
		}
		return encoder.Encode(l)
	})
	switch {
	case began && err != nil:
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	case err == nil && !began:
		c.download("application/jsonl", "audit.jsonl") // without events, nothing has begun the download
	}
	return err
}

// download sets the headers of a file.
func (c *call) download(mediaType, name string) {
	c.w.Header().Set("Content-Type", mediaType)
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

// auditHead sends the file for baton-console audit verify --head.
func auditHead(c *call) error {
	head, err := c.console().ChainHead(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	b, err := json.Marshal(head)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode the head: %w", err)
	}
	c.download("application/json", "audit-head-"+strconv.FormatInt(head.Number, 10)+".json")
	c.w.Write(append(b, '\n')) // an error means that the browser is gone
	return nil
}

// auditReport sends the signed report for auditors: about the end of a day, and the time from another.
func auditReport(c *call) error {
	at, err := c.dayOf("at", 1)
	if err != nil {
		return err
	}
	from, err := c.dayOf("from", 0)
	if err != nil {
		return err
	}
	p, err := c.console().AuditReport(c.ctx(), c.caller, at, from)
	if err != nil {
		return err
	}
	return c.sendPack(p)
}

// sendPack sends a signed file, and removes it.
func (c *call) sendPack(p *govern.EvidencePack) error {
	defer p.Close() // a file that stays is removed with the folder of temporary files
	c.download("application/zip", p.Name)
	c.w.Header().Set("Content-Length", strconv.FormatInt(p.Size, 10))
	if _, err := io.Copy(c.w, io.NewSectionReader(p.File, 0, p.Size)); err != nil {
		c.site.Log.WarnContext(c.ctx(), "a download ended early", "request", c.id, "file", p.Name, "error", err)
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	}
	return nil
}

// checkAudit checks the chain of events, and a saved head if one is given.
func checkAudit(c *call) error {
	var kept []console.ChainHead
	var problem error
	if s := strings.TrimSpace(c.r.PostFormValue("head")); s != "" {
		var h console.SignedHead
		d := json.NewDecoder(strings.NewReader(s))
		if err := d.Decode(&h); err != nil || h.Number == 0 || h.Hash == (console.Hash{}) || !atEnd(d) {
			problem = baton.Errorf(baton.Invalid, "that is no head of a chain").WithFix("Paste the whole file that this page or baton-console audit head gave.")
		}
		if problem == nil && len(h.Signature) > 0 {
			problem = h.Verify()
		}
		kept = append(kept, h.ChainHead)
	}
	report := store.ChainReport{}
	if problem == nil {
		var err error
		if report, err = c.console().CheckChain(c.ctx(), c.caller, kept...); err != nil {
			return err
		}
	}
	p, err := c.audit()
	if err != nil {
		return err
	}
	if p.Problem = problemOf(problem); problem != nil {
		return c.show(statusOf(problem), "audit", "Audit", p)
	}
	p.Report = &report
	return c.page("audit", "Audit", p)
}

// atEnd reports whether a decoder has no input left.
func atEnd(d *json.Decoder) bool {
	_, err := d.Token()
	return err == io.EOF
}

// What returns the description of an event: "sync applied".
func (auditPage) What(e store.Event) string {
	return strings.NewReplacer(".", " ", "-", " ", "_", " ").Replace(e.Kind)
}

// Who returns the name of the actor.
func (auditPage) Who(r govern.AuditRow) string {
	switch {
	case r.ByName != "":
		return r.ByName
	case r.Actor.Kind == console.ActorSystem:
		return "the console"
	case r.Actor.Kind == console.ActorConnector:
		return "a connector"
	}
	return string(r.Actor.Kind) + " " + r.Actor.ID
}

// detail is one field of an event's data.
type detail struct{ Name, Value string }

// Details returns the data of an event, ordered by name.
func (auditPage) Details(e store.Event) (all []detail) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(e.Data, &fields) != nil {
		return nil
	}
	for name, value := range fields {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = flat(value)
		}
		if s != "" && s != "null" {
			all = append(all, detail{strings.NewReplacer("_", " ").Replace(name), s})
		}
	}
	slices.SortFunc(all, func(a, b detail) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// flat returns the fields of a flat object as text, "resources 44, facts closed 2", and any other
// value as JSON.
func flat(value json.RawMessage) string {
	var fields map[string]any
	if json.Unmarshal(value, &fields) != nil || len(fields) == 0 {
		return string(value)
	}
	d := json.NewDecoder(strings.NewReader(string(value)))
	d.UseNumber()
	d.Token() // skips the brace
	var words []string
	for d.More() {
		name, _ := d.Token()
		v, _ := d.Token()
		if _, nested := v.(json.Delim); nested {
			return string(value)
		}
		words = append(words, strings.ReplaceAll(fmt.Sprint(name), "_", " ")+" "+fmt.Sprint(v))
	}
	return strings.Join(words, ", ")
}
