package evidence

import (
	"context"
	"crypto/ed25519"
	_ "embed"
	"encoding/json"
	"iter"
	"time"

	"baton"
	"baton/console"
)

// AuditFormat names the format of audit reports.
const AuditFormat = "baton audit report 1"

// AuditSource yields what an audit report is made of: the state when the last event of its chain
// happened. Sequences can be read more than once.
type AuditSource interface {
	Audit() (Audit, error)
	Applications() iter.Seq2[AuditedApp, error]
	Administrators() iter.Seq2[Administrator, error]
	Roles() iter.Seq2[ConsoleRole, error]
	Leavers() iter.Seq2[Leaver, error]
	Reciprocal() iter.Seq2[Reciprocal, error]
	// Records are the events of the period that belong to a section, in their order.
	Records() iter.Seq2[Record, error]
	// Events are those of the chain from the first one of the period, in their order.
	Events() iter.Seq2[Event, error]
	Person(console.ID) (Person, error)
}

// Audit says what an audit report is about.
type Audit struct {
	At   time.Time // the moment of the administrators
	From time.Time // when the period begins; it ends with the chain
	By   console.ID
	Head console.ChainHead
}

// AuditedApp is an application with what it showed at the moment.
type AuditedApp struct {
	App           console.ID   `json:"app"`
	Name          string       `json:"name"`
	Owners        []console.ID `json:"owners,omitempty"`
	Connector     console.ID   `json:"connector,omitempty"`
	ConnectorName string       `json:"connector_name,omitempty"`
	Sync          console.ID   `json:"sync,omitempty"`
	Began         time.Time    `json:"began,omitzero"`
	SHA256        string       `json:"sha256,omitempty"` // of its c1z
	Minimum       int          `json:"minimum_admins"`
	// Unknown says why the administrators of the moment are not known; "" if they are.
	Unknown string `json:"unknown,omitempty"`
}

// Administrator is an access that made an account administrator of an application at the moment.
type Administrator struct {
	App             console.ID          `json:"app"`
	AppName         string              `json:"app_name"`
	Account         console.ResourceKey `json:"account"`
	AccountID       string              `json:"account_id"`
	AccountName     string              `json:"account_name"`
	Login           string              `json:"login,omitempty"`
	Enabled         bool                `json:"enabled"`
	Entitlement     string              `json:"entitlement"`
	EntitlementName string              `json:"entitlement_name"`
	Person          console.ID          `json:"person,omitempty"`
	Active          bool                `json:"active"`
	Until           time.Time           `json:"until,omitzero"`
	Permanent       bool                `json:"permanent"`
	State           console.State       `json:"state"`
	Reasons         []string            `json:"reasons,omitempty"`
	Sync            console.ID          `json:"sync"` // that showed it at the moment
}

// ConsoleRole is a role of a person in the console itself, when the report was made.
type ConsoleRole struct {
	Role   console.ConsoleRole `json:"role"`
	Person console.ID          `json:"person"`
}

// Leaver is an account of a person who left in the period.
type Leaver struct {
	Person  console.ID           `json:"person"`
	Status  console.PersonStatus `json:"status"`
	Left    time.Time            `json:"left"`
	App     console.ID           `json:"app,omitempty"`
	Account console.ResourceKey  `json:"account,omitempty"`
	Name    string               `json:"name,omitempty"`
	Ended   time.Time            `json:"ended,omitzero"` // when the sync began that no longer showed it, or showed it disabled
	Hours   float64              `json:"hours"`          // between both; until now if it has not ended
	Open    bool                 `json:"open"`           // the newest sync shows it enabled
}

// Reciprocal is a pair of people who decided about each other's access in the period.
type Reciprocal struct {
	First            console.ID `json:"first"`
	Second           console.ID `json:"second"`
	RequestsByFirst  int        `json:"requests_by_first"`
	RequestsBySecond int        `json:"requests_by_second"`
	ReviewsByFirst   int        `json:"reviews_by_first"`
	ReviewsBySecond  int        `json:"reviews_by_second"`
}

// Record is an event of the period that an auditor asks for.
type Record struct {
	Section    string          `json:"section"`
	Event      int64           `json:"event"`
	At         time.Time       `json:"at"`
	Kind       string          `json:"kind"`
	What       string          `json:"what"`
	Actor      console.Actor   `json:"actor"`
	OnBehalfOf console.ID      `json:"on_behalf_of,omitempty"`
	Login      string          `json:"login,omitempty"`
	Person     console.ID      `json:"person,omitempty"`
	App        console.ID      `json:"app,omitempty"`
	Object     string          `json:"object,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// AuditManifest lists the members of an audit report with their hashes.
type AuditManifest struct {
	Format  string      `json:"format"`
	Key     string      `json:"key"` // fingerprint
	At      time.Time   `json:"at"`
	From    time.Time   `json:"from"`
	By      console.ID  `json:"by"`
	AsOf    time.Time   `json:"as_of"` // when the last event happened
	Chain   Chain       `json:"chain"`
	Counts  AuditCounts `json:"counts"`
	Members []Member    `json:"members"`
}

// AuditCounts are the numbers of rows in an audit report.
type AuditCounts struct {
	Applications   int `json:"applications"`
	Administrators int `json:"administrators"`
	Roles          int `json:"roles"`
	Leavers        int `json:"leavers"`
	Reciprocal     int `json:"reciprocal"`
	Records        int `json:"records"`
	Events         int `json:"events"`
	Disclosed      int `json:"disclosed"`
}

func (m AuditManifest) encode() []byte {
	members := m.Members
	m.Members = []Member{}
	return encodeMembers(m, members)
}

//go:embed AUDIT.txt
var auditReadme []byte

// BuildAudit writes an audit report to an empty file, and returns its manifest and size.
func BuildAudit(ctx context.Context, f File, src AuditSource, key ed25519.PrivateKey) (m AuditManifest, size int64, err error) {
	b := &builder{a: archive{f: f}, person: src.Person, people: map[console.ID]bool{}, report: newReport()}
	about, err := src.Audit()
	if err != nil {
		return m, 0, err
	}
	public := key.Public().(ed25519.PublicKey)
	m = AuditManifest{Format: AuditFormat, Key: console.Fingerprint(public), At: utc(about.At), From: utc(about.From), By: about.By, AsOf: utc(about.Head.At)}
	b.name(about.By)
	for _, step := range []func() error{
		func() error { return b.text("README.txt", auditReadme) },
		func() error { return b.audited(src, &m.Counts) },
		func() (err error) { m.Chain, err = b.events(src.Events(), about.Head, key); return err },
		b.named,
		func() error { return b.text(keyName, encodeKey(public)) },
	} {
		if err := ctx.Err(); err != nil {
			return m, 0, baton.Errorf(baton.Canceled, "make the report: %w", err)
		}
		if err := step(); err != nil {
			return m, 0, err
		}
	}
	m.Counts.Events, m.Counts.Disclosed = b.counts.Events, b.counts.Disclosed
	m.Members = b.members()
	size, err = b.sign(m.encode(), key)
	return m, size, err
}

// audited writes the tables of an audit report.
func (b *builder) audited(src AuditSource, c *AuditCounts) (err error) {
	if c.Applications, err = table(b, "applications", auditColumns["applications"], each(src.Applications(), func(a AuditedApp) (AuditedApp, bool) {
		b.name(a.Owners...)
		a.Began = utc(a.Began)
		return a, true
	})); err != nil {
		return err
	}
	if c.Administrators, err = table(b, "administrators", auditColumns["administrators"], each(src.Administrators(), func(a Administrator) (Administrator, bool) {
		b.name(a.Person)
		a.Until = utc(a.Until)
		return a, true
	})); err != nil {
		return err
	}
	if c.Roles, err = table(b, "console-roles", auditColumns["console-roles"], each(src.Roles(), func(r ConsoleRole) (ConsoleRole, bool) {
		b.name(r.Person)
		return r, true
	})); err != nil {
		return err
	}
	if c.Leavers, err = table(b, "leavers", auditColumns["leavers"], each(src.Leavers(), func(l Leaver) (Leaver, bool) {
		b.name(l.Person)
		l.Left, l.Ended = utc(l.Left), utc(l.Ended)
		return l, true
	})); err != nil {
		return err
	}
	if c.Reciprocal, err = table(b, "reciprocal", auditColumns["reciprocal"], each(src.Reciprocal(), func(r Reciprocal) (Reciprocal, bool) {
		b.name(r.First, r.Second)
		return r, true
	})); err != nil {
		return err
	}
	c.Records, err = table(b, "records", auditColumns["records"], each(src.Records(), func(r Record) (Record, bool) {
		b.name(r.Person, r.Actor.Person(), r.OnBehalfOf)
		r.At = utc(r.At)
		return r, true
	}))
	return err
}

// auditColumns are the columns of the CSV members of audit reports.
var auditColumns = map[string][]string{
	"applications":   columns("app name owners connector connector_name sync began sha256 minimum_admins unknown"),
	"administrators": columns("app app_name account account_id account_name login enabled entitlement entitlement_name person active until permanent state reasons sync"),
	"console-roles":  columns("role person"),
	"leavers":        columns("person status left app account name ended hours open"),
	"reciprocal":     columns("first second requests_by_first requests_by_second reviews_by_first reviews_by_second"),
	"records":        columns("section event at kind what actor.kind actor.id on_behalf_of login person app object data"),
	"people":         personColumns,
}
