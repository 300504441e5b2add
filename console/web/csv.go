package web

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// asCSV reports whether the list is requested as CSV.
func (c *call) asCSV() bool { return c.r.URL.Query().Get("format") == "csv" }

// csvPath returns the address of this list as CSV, with its filters; "" if the caller may not export
// it.
func (c *call) csvPath(o console.Object) string {
	if !console.SeeRawFiles.Of(c.caller.Person, o) {
		return ""
	}
	q := c.r.URL.Query()
	q.Del("after")
	for k, v := range q {
		if len(v) == 1 && v[0] == "" {
			q.Del(k)
		}
	}
	q.Set("format", "csv")
	return "?" + q.Encode()
}

// byteOrderMark makes Excel read a file as UTF-8.
const byteOrderMark = "\ufeff"

// rowsPerRead is the number of rows that are read in one transaction.
const rowsPerRead = 500

// writeCSV streams a list. It records the export before the first row. list calls its argument for
// each row. An error before the first row is shown as a page.
func (c *call) writeCSV(e govern.Export, name string, header []string, list func(row func(cells ...string) error) error) error {
	q := url.Values{}
	for k, v := range c.r.URL.Query() {
		if k != "format" && k != "after" {
			q[k] = v
		}
	}
	e.Filter, e.Format = q.Encode(), "csv"
	if !c.at.IsZero() {
		name += "-as-of-" + c.at.UTC().Format("20060102T150405Z") + "-from"
	}
	if err := c.site.Console.Export(c.ctx(), c.caller, e); err != nil { // exports are recorded as of now, even if they show the past
		return err
	}
	w := csv.NewWriter(c.w)
	w.UseCRLF = true // RFC 4180
	began := false
	begin := func() error {
		if began {
			return nil
		}
		began = true
		c.download("text/csv; charset=utf-8", name+"-"+c.console().Now().UTC().Format("20060102T150405Z")+".csv")
		if _, err := io.WriteString(c.w, byteOrderMark); err != nil {
			return err
		}
		return w.Write(header)
	}
	err := list(func(cells ...string) error {
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		if err := begin(); err != nil {
			return err
		}
		return w.Write(cells)
	})
	if err == nil {
		err = begin() // an empty list still has a header
	}
	if err == nil {
		w.Flush()
		err = w.Error()
	}
	if began && err != nil {
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	}
	return err
}

// cell returns a text that no spreadsheet interprets as a formula. Spreadsheets skip blanks before a
// formula, and some accept full-width forms of its characters.
func cell(s string) string {
	if s == "" {
		return ""
	}
	first := strings.TrimLeftFunc(norm.NFKC.String(s), unicode.IsSpace)
	if strings.ContainsRune("\t\r\n", rune(s[0])) || first != "" && strings.ContainsRune("=+-@|%", []rune(first)[0]) {
		return "'" + text(s)
	}
	return text(s)
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func csvBool(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func csvStatus(s console.Status) string {
	switch s {
	case console.StatusEnabled:
		return "enabled"
	case console.StatusDisabled:
		return "disabled"
	case console.StatusDeleted:
		return "deleted"
	}
	return "unspecified"
}

func accountsCSV(c *call) error {
	q, err := c.accountQuery(c.app())
	if err != nil {
		return err
	}
	q.After, q.N = store.ResourceAfter{}, rowsPerRead
	header := []string{"Account", "ID", "Login", "E-mail", "Person", "Type", "Status", "Role", "Role unknown", "External", "Last login"}
	return c.writeCSV(govern.Export{What: "accounts", App: c.app()}, "accounts", header, func(row func(...string) error) error {
		for {
			page, err := c.console().Accounts(c.ctx(), c.caller, q)
			if err != nil {
				return err
			}
			for _, a := range page.Rows {
				role := ""
				if a.Role.Risk != nil {
					role = a.Role.Risk.Name
				}
				if err := row(a.Name, a.ID, a.Account.Login, strings.Join(a.Account.Emails, ", "), a.Owner.Name, accountKind(a.Type.Kind), csvStatus(a.Status), role,
					csvBool(a.RoleUnknown()), csvBool(a.External), csvTime(a.Account.LastLogin)); err != nil {
					return err
				}
			}
			if page.Next == nil {
				return nil
			}
			q.After = *page.Next
		}
	})
}

func holdersCSV(c *call) error {
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	header := []string{"Holder", "ID", "Kind", "Login", "Person", "Status", "Entitlement", "State", "Since", "There before the first sync", "Until"}
	return c.writeCSV(govern.Export{What: "holders of " + strconv.FormatInt(key, 10), App: c.app()}, "holders", header, func(row func(...string) error) error {
		var after store.HolderAfter
		for {
			v, err := c.console().Entitlement(c.ctx(), c.caller, c.app(), console.EntitlementKey(key), after, rowsPerRead)
			if err != nil {
				return err
			}
			for _, h := range v.Holding {
				login := ""
				if h.Account.Account != nil {
					login = h.Account.Account.Login
				}
				if err := row(h.Account.Name, h.Account.ID, h.Account.Type, login, h.Owner.Name, csvStatus(h.Account.Status), v.Name, string(h.State),
					csvTime(h.Since), csvBool(h.Baseline), csvTime(h.Until)); err != nil {
					return err
				}
			}
			if v.Next == nil {
				return nil
			}
			after = *v.Next
		}
	})
}

func peopleCSV(c *call) error {
	header := []string{"Name", "E-mail", "Department", "Status", "Roles in the console"}
	return c.writeCSV(govern.Export{What: "people"}, "people", header, func(row func(...string) error) error {
		var after store.NameAfter
		for {
			people, more, err := c.console().People(c.ctx(), c.caller, after, rowsPerRead)
			if err != nil {
				return err
			}
			for _, p := range people {
				var roles []string
				for _, r := range p.Roles {
					roles = append(roles, r.Label())
				}
				if err := row(p.Name, strings.Join(p.Emails, ", "), p.Department, string(p.Status), strings.Join(roles, ", ")); err != nil {
					return err
				}
				after = store.NameAfter{Sort: console.SortKey(p.Name), ID: p.ID}
			}
			if !more {
				return nil
			}
		}
	})
}

func syncsCSV(c *call) error {
	header := []string{"Began", "Received", "Applied", "Kind", "Result", "Why", "Accounts", "Resources", "Entitlements", "Grants", "Opened", "Closed", "Bytes", "SHA-256", "ID"}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return c.writeCSV(govern.Export{What: "syncs", Connector: c.connector()}, "syncs", header, func(row func(...string) error) error {
		var before store.SyncBefore
		for {
			syncs, more, err := c.console().Syncs(c.ctx(), c.caller, c.connector(), before, rowsPerRead)
			if err != nil {
				return err
			}
			for _, s := range syncs {
				n := s.Counts
				if err := row(csvTime(s.Began), csvTime(s.Received), csvTime(s.Applied), string(s.Kind), string(s.State), s.Why, number(n.Accounts), number(n.Resources), number(n.Entitlements),
					number(n.Facts), number(n.Opened), number(n.Closed), number(s.Size), fmt.Sprintf("%x", s.SHA256), string(s.ID)); err != nil {
					return err
				}
				before = store.SyncBefore{Received: s.Received, ID: s.ID}
			}
			if !more {
				return nil
			}
		}
	})
}

// downloadSync sends the file of a sync exactly as it was received.
func downloadSync(c *call) error {
	id := console.ID(c.r.PathValue("sync"))
	s, err := c.console().Sync(c.ctx(), c.caller, id)
	if err != nil {
		return err
	}
	if s.Connector != c.connector() {
		return baton.Errorf(baton.NotFound, "no sync")
	}
	content, f, err := c.console().SyncFile(c.ctx(), c.caller, id)
	if err != nil {
		return err
	}
	c.download("application/octet-stream", "sync-"+string(id)+".c1z")
	c.w.Header().Set("Content-Length", strconv.FormatInt(f.Size, 10))
	if _, err := io.Copy(c.w, content); err != nil {
		c.site.Log.WarnContext(c.ctx(), "a download ended early", "request", c.id, "sync", id, "error", err)
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	}
	return nil
}
