package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
	"baton/console/schedule"
	"baton/console/store"
)

type connectorsList struct {
	Connectors []govern.ConnectorSummary
	MayAdd     bool
	Version    govern.Version
}

func connectorsPage(c *call) error {
	version, err := c.console().ConnectorsVersion(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	all, err := c.console().Connectors(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("connectors", "Connectors", connectorsList{all, console.AddConnectors.Of(c.caller.Person, console.Object{}), version})
}

type catalogPage struct {
	Search string
	// Unmanaged is the app for the connector; "" if it is not chosen yet.
	Unmanaged string
	Products  []govern.Product
}

func connectorCatalog(c *call) error {
	if err := c.console().Require(c.ctx(), c.caller, console.AddConnectors, console.Object{}); err != nil {
		return err
	}
	search := c.r.FormValue("search")
	return c.page("connector-catalog", "Add connector", catalogPage{search, c.r.FormValue("unmanaged"), c.console().Catalog(search)})
}

type connectorForm struct {
	Product govern.Product
	Name    string
	Where   string // "unmanaged", "managed" or "new"
	// Unmanaged are the applications without a connector, and Chosen the selected one.
	Unmanaged     []unmanagedChoice
	Chosen        string
	UnmanagedName string
	App           console.ID
	NewApp        string
	Apps          []console.App
	People        []personChoice
	Hosted        bool
	Files         bool // people upload its files
	// Products are the options for a self-hosted connector of any kind.
	Products []govern.Product
	Runs     string // name of the chosen product
	Problem  *problem
}

type personChoice struct {
	console.Person
	Chosen bool
}

func (c *call) connectorForm() (f connectorForm, err error) {
	if f.Product, err = c.console().Product(c.r.PathValue("product")); err != nil {
		return f, err
	}
	candidates, err := c.console().Candidates(c.ctx(), c.caller)
	if err != nil {
		return f, err
	}
	f.Apps, f.Chosen, f.UnmanagedName = candidates.Managed, c.r.FormValue("unmanaged"), c.r.PostFormValue("unmanaged-name")
	for _, u := range candidates.Unmanaged {
		f.Unmanaged = append(f.Unmanaged, unmanagedChoice{u})
	}
	chosen := c.ids("owner")
	if c.r.Method == http.MethodGet {
		chosen = []console.ID{c.caller.Person.ID}
	}
	for _, p := range candidates.People {
		f.People = append(f.People, personChoice{p, slices.Contains(chosen, p.ID)})
	}
	f.Name, f.Where, f.App, f.NewApp = c.r.PostFormValue("name"), c.r.PostFormValue("where"), console.ID(c.r.PostFormValue("app")), c.r.PostFormValue("new-app")
	f.Hosted, f.Files, f.Runs = c.r.PostFormValue("hosting") == "hosted", c.r.FormValue("hosting") == "file", c.r.PostFormValue("runs")
	if f.Product.Name == govern.Generic.Name {
		f.Products = c.console().Catalog("")
	}
	if c.r.Method == http.MethodGet {
		f.Hosted = f.Product.Hostable() && !f.Files
		f.Name, f.Where = f.Product.DisplayName, "new"
		if f.Product.Name != govern.Generic.Name {
			f.NewApp = f.Product.DisplayName
		}
		if f.Chosen != "" {
			f.Where = "unmanaged"
		}
	}
	return f, nil
}

// ids returns the ids in a field of a form.
func (c *call) ids(field string) (ids []console.ID) {
	for _, v := range c.r.PostForm[field] {
		ids = append(ids, console.ID(v))
	}
	return ids
}

func newConnectorPage(c *call) error {
	f, err := c.connectorForm()
	if err != nil {
		return err
	}
	return c.page("connector-new", "Add connector", f)
}

func addConnector(c *call) error {
	f, err := c.connectorForm()
	if err != nil {
		return err
	}
	n := govern.NewConnector{Name: f.Name, Product: f.Product.Name, Owners: c.ids("owner"), Hosted: f.Hosted, Files: f.Files}
	if f.Runs != "" {
		n.Product = f.Runs
	}
	switch f.Where {
	case "unmanaged":
		if n.App, n.Unmanaged, err = unmanagedOf(f.Chosen); n.Unmanaged != 0 {
			n.NewApp = f.UnmanagedName
		}
	case "managed":
		n.App = f.App
	case "new":
		n.NewApp = f.NewApp
	}
	var id console.ID
	if err == nil {
		id, err = c.console().AddConnector(c.ctx(), c.caller, n)
	}
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.AlreadyExists || k == baton.NotFound) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "connector-new", "Add connector", f)
	}
	if err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(id) + "/settings")
}

// connectorHead is the top of every page of a connector.
type connectorHead struct {
	govern.ConnectorView
	Tab     string
	Tabs    []appTab
	Version govern.Version
}

func (c *call) connector() console.ID { return console.ID(c.r.PathValue("connector")) }

func (c *call) connectorHead(tab string) (connectorHead, error) {
	// Read first, so that any later change makes the page out of date.
	version, err := c.console().ConnectorVersion(c.ctx(), c.caller, c.connector())
	if err != nil {
		return connectorHead{}, err
	}
	v, err := c.console().Connector(c.ctx(), c.caller, c.connector())
	base := "/connectors/" + string(c.connector())
	return connectorHead{v, tab, []appTab{{"syncs", "Syncs", base}, {"settings", "Settings", base + "/settings"}, {"actions", "Actions", base + "/actions"}, {"hosts", "Hosts", base + "/hosts"}, {"log", "Log", base + "/log"}}, version}, err
}

// Chip returns the connector's state.
func (h connectorHead) Chip() chip { return connectionChip(h.State) }

func connectionChip(s console.ConnectionState) chip {
	kind := "plain"
	switch s {
	case console.Connected:
		kind = "good"
	case console.Syncing:
		kind = "accent"
	case console.Held, console.HeldByConnector, console.ConnectorError:
		kind = "bad"
	case console.Offline:
		kind = "warn"
	}
	return chip{kind, string(s)}
}

type syncsPage struct {
	CSV     string // address of the list as a file; "" if the caller may not export it
	Head    connectorHead
	Syncs   []console.Sync
	Next    string
	Problem *problem
}

func (c *call) syncs() (p syncsPage, err error) {
	if p.Head, err = c.connectorHead("syncs"); err != nil {
		return p, err
	}
	var before store.SyncBefore
	if err := c.place(&before); err != nil {
		return p, err
	}
	syncs, more, err := c.console().Syncs(c.ctx(), c.caller, c.connector(), before, rowsPerPage)
	p.Syncs, p.CSV = syncs, c.csvPath(console.Object{App: &p.Head.App})
	if more {
		last := syncs[len(syncs)-1]
		p.Next = cursor(store.SyncBefore{Received: last.Received, ID: last.ID})
	}
	return p, err
}

func connectorPage(c *call) error {
	if c.asCSV() {
		return syncsCSV(c)
	}
	p, err := c.syncs()
	if err != nil {
		return err
	}
	return c.page("connector", p.Head.Connector.Name, p)
}

func judgeSync(c *call) error {
	err := c.console().JudgeSync(c.ctx(), c.caller, c.connector(), console.ID(c.r.PathValue("sync")), c.r.PostFormValue("decision") == "apply", c.r.PostFormValue("why"))
	if k := baton.KindOf(err); k == baton.Invalid && err != nil || k == baton.Refused {
		p, failed := c.syncs()
		if failed != nil {
			return failed
		}
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "connector", p.Head.Connector.Name, p)
	}
	if err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()))
}

func pauseConnector(c *call) error {
	if err := c.console().PauseConnector(c.ctx(), c.caller, c.connector(), c.r.PostFormValue("paused") == "true"); err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()))
}

type settingsPage struct {
	Head    connectorHead
	Editing bool
	Product govern.Product
	Name    string
	Minutes string
	Cron    string
	Zone    string
	// Directory is the connector in its function as a directory.
	Directory govern.DirectoryView
	Abilities govern.AbilitiesView
	People    []personChoice
	Problem   *problem
	Rotated   *govern.Rotated
	Snippets  []snippet
	// SnippetChoices are the products whose snippets can be shown, for a connector of any kind.
	SnippetChoices []govern.Product
	Now            time.Time
	// Fields are the settings of a hosted connector.
	Fields, Advanced []settingField
	Findings         []baton.Finding // of a test that was just made
}

// settingField is the form field of a connector's setting.
type settingField struct {
	baton.Setting
	Value string
	Set   bool // a secret is stored
}

// Type returns the HTML type of the field.
func (f settingField) Type() string {
	switch f.Kind {
	case baton.SecretSetting:
		return "secret"
	case baton.BoolSetting:
		return "bool"
	case baton.StringsSetting:
		return "list"
	}
	return "text"
}

// Hosted reports whether the connector runs inside the console.
func (p settingsPage) Hosted() bool { return p.Head.Connector.Hosting == console.Hosted }

// ByFile reports whether people upload the connector's files.
func (p settingsPage) ByFile() bool { return p.Head.Connector.Hosting == console.ByFile }

// addFields adds the settings of a hosted connector. Entered values take precedence over stored
// ones. Secrets are never shown.
func (c *call) addFields(p *settingsPage) error {
	if !p.Hosted() {
		return nil
	}
	s, err := c.console().HostedSettings(c.ctx(), c.caller, c.connector())
	if err != nil {
		return err
	}
	for _, setting := range s.Product.Settings {
		f := settingField{Setting: setting, Value: s.Values[setting.Name], Set: slices.Contains(s.Secrets, setting.Name)}
		if v, given := c.r.PostForm[fieldName(setting)]; given && setting.Kind != baton.SecretSetting {
			f.Value = v[0]
		}
		if setting.Advanced {
			p.Advanced = append(p.Advanced, f)
		} else {
			p.Fields = append(p.Fields, f)
		}
	}
	return nil
}

// fieldName returns the name of a setting's field. The prefix keeps it apart from other fields.
func fieldName(s baton.Setting) string { return "setting." + s.Name }

// hostedSettings decodes the settings of a hosted connector.
func (c *call) hostedSettings(p govern.Product) (texts map[string]string, secrets map[string]baton.Secret) {
	texts, secrets = map[string]string{}, map[string]baton.Secret{}
	for _, s := range p.Settings {
		value := c.r.PostFormValue(fieldName(s))
		if s.Kind == baton.SecretSetting {
			secrets[s.Name] = baton.NewSecret(strings.TrimSpace(value))
		} else {
			texts[s.Name] = value
		}
	}
	return texts, secrets
}

// Credentials returns the credentials with their state for the list.
func (p settingsPage) Credentials() (rows []credentialRow) {
	for _, cr := range slices.Backward(p.Head.Credentials) {
		row := credentialRow{Credential: cr, State: chip{"good", "Works"}}
		switch {
		case !cr.Revoked.IsZero():
			row.State = chip{"plain", "Revoked"}
		case !cr.Good(p.Now):
			row.State = chip{"plain", "Expired"}
		}
		row.MayRevoke = p.Head.MayConfigure && cr.Good(p.Now)
		rows = append(rows, row)
	}
	return rows
}

type credentialRow struct {
	rpc.Credential
	State     chip
	MayRevoke bool
}

func (c *call) settings() (p settingsPage, err error) {
	if p.Head, err = c.connectorHead("settings"); err != nil {
		return p, err
	}
	con := p.Head.Connector
	p.Cron, p.Zone = con.Cron, con.Zone
	if p.Abilities, err = c.console().Abilities(c.ctx(), c.caller, con.ID); err != nil {
		return p, err
	}
	if p.Directory, err = c.console().Directory(c.ctx(), c.caller, con.ID); err != nil {
		return p, err
	}
	p.Now, p.Name, p.Minutes = c.console().Now(), con.Name, betweenText(con.Interval)
	p.Product, err = c.console().Product(con.Product)
	if baton.KindOf(err) == baton.NotFound { // a connector without an entry in the catalogue
		p.Product, err = govern.Generic, nil
	}
	return p, err
}

func connectorSettings(c *call) error {
	p, err := c.settings()
	if err != nil {
		return err
	}
	return c.page("connector-settings", p.Head.Connector.Name, p)
}

func (c *call) editSettings() (settingsPage, error) {
	p, err := c.settings()
	if err != nil {
		return p, err
	}
	if !p.Head.MayConfigure {
		return p, c.console().Require(c.ctx(), c.caller, console.ConfigureConnectors, console.Object{App: &p.Head.App, Connector: &p.Head.Connector})
	}
	p.Editing = true
	if p.Product.Name == govern.Generic.Name {
		for _, product := range c.console().Catalog("") {
			if product.Name != govern.Generic.Name {
				p.SnippetChoices = append(p.SnippetChoices, product)
			}
		}
	}
	if err := c.addFields(&p); err != nil {
		return p, err
	}
	people, err := c.console().Owners(c.ctx(), c.caller, c.connector())
	for _, person := range people {
		p.People = append(p.People, personChoice{person, slices.Contains(p.Head.Connector.Owners, person.ID)})
	}
	return p, err
}

func connectorEdit(c *call) error {
	p, err := c.editSettings()
	if err != nil {
		return err
	}
	return c.page("connector-settings", p.Head.Connector.Name, p)
}

func configureConnector(c *call) error {
	p, err := c.editSettings()
	if err != nil {
		return err
	}
	p.Name, p.Minutes = c.r.PostFormValue("name"), c.r.PostFormValue("interval")
	p.Cron, p.Zone = strings.TrimSpace(c.r.PostFormValue("cron")), strings.TrimSpace(c.r.PostFormValue("zone"))
	every, err := between(p.Minutes)
	if p.Cron != "" && err != nil {
		every, err = p.Head.Connector.Interval, nil // not used in this case
	}
	if err == nil {
		version, _ := strconv.ParseInt(c.r.PostFormValue("version"), 10, 64)
		err = c.console().ConfigureConnector(c.ctx(), c.caller, c.connector(), govern.ConnectorSettings{Name: p.Name,
			Schedule: schedule.Schedule{Every: every, Cron: p.Cron, Zone: p.Zone}, Owners: c.ids("owner"), Version: version})
	}
	if err == nil && p.Hosted() {
		texts, secrets := c.hostedSettings(p.Product)
		err = c.console().ConfigureHosted(c.ctx(), c.caller, c.connector(), texts, secrets)
	}
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.AlreadyExists || k == baton.Refused) {
		again, failed := c.editSettings() // with the current version
		if failed != nil {
			return failed
		}
		again.Cron, again.Zone = p.Cron, p.Zone
		again.Name, again.Minutes, again.Problem = p.Name, p.Minutes, problemOf(err)
		return c.show(statusOf(err), "connector-settings", p.Head.Connector.Name, again)
	}
	if err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()) + "/settings")
}

// between reads the time between two syncs: a number of minutes, to the second, or a
// duration with its unit.
func between(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 && n < 1e6 {
		return time.Duration(n * float64(time.Minute)).Round(time.Second), nil
	}
	d, err := console.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, baton.Errorf(baton.Invalid, "the time between two syncs is neither a number of minutes nor a duration such as 30s or 2h")
	}
	return time.Duration(d), nil
}

// betweenText writes the time between two syncs as the form shows it.
func betweenText(d time.Duration) string {
	if d%time.Minute != 0 {
		return console.Duration(d).String()
	}
	return strconv.FormatFloat(d.Minutes(), 'f', -1, 64)
}

// Schedule describes when the connector syncs.
func (p settingsPage) Schedule() string { return schedule.Of(p.Head.Connector).Sentence() }

// testConnector shows the findings of the connector's own checks.
func testConnector(c *call) error {
	p, err := c.settings()
	if err != nil {
		return err
	}
	p.Findings, err = c.console().TestHosted(c.ctx(), c.caller, c.connector())
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.Unsupported) {
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "connector-settings", p.Head.Connector.Name, p)
	}
	if err != nil {
		return err
	}
	return c.page("connector-settings", p.Head.Connector.Name, p)
}

func syncNow(c *call) error {
	if err := c.console().SyncNow(c.ctx(), c.caller, c.connector()); err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()))
}

// rotateCredentials shows the new secret in its response, because it is not stored.
func rotateCredentials(c *call) error {
	r, err := c.console().Rotate(c.ctx(), c.caller, c.connector())
	if err != nil && baton.KindOf(err) != baton.Refused {
		return err
	}
	p, failed := c.editSettings()
	if failed != nil {
		return failed
	}
	if err != nil {
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "connector-settings", p.Head.Connector.Name, p)
	}
	p.Rotated = &r
	product := p.Product
	if product.Name == govern.Generic.Name {
		if chosen, err := c.console().Product(c.r.PostFormValue("snippets")); err == nil {
			product = chosen
		}
	}
	p.Snippets = snippets(product, r, c.site.CA)
	return c.page("connector-settings", p.Head.Connector.Name, p)
}

func revokeCredential(c *call) error {
	if err := c.console().RevokeCredential(c.ctx(), c.caller, c.connector(), c.r.PostFormValue("client-id")); err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()) + "/settings")
}

func connectorHosts(c *call) error {
	h, err := c.connectorHead("hosts")
	if err != nil {
		return err
	}
	return c.page("connector-hosts", h.Connector.Name, h)
}

type logPage struct {
	Head  connectorHead
	Tasks []rpc.Task
	Next  int64
}

// Chip returns the state of a task.
func (logPage) Chip(t rpc.Task) chip {
	switch {
	case t.State == rpc.Queued:
		return chip{"plain", "Waiting"}
	case t.State == rpc.Leased:
		return chip{"accent", "Running"}
	case t.State == rpc.Lost:
		return chip{"warn", "No answer"}
	case t.Cancelled:
		return chip{"plain", "Cancelled"}
	case t.Result.OK():
		return chip{"good", "Done"}
	case t.Outcome() == rpc.Held:
		return chip{"warn", "Held by the connector"}
	}
	return chip{"bad", "Failed"}
}

// Fix returns what to do about a task that failed, where the connector does not say it.
func (logPage) Fix(t rpc.Task) string {
	switch said := t.Result.Message; {
	case t.Outcome() == rpc.Held && !strings.Contains(said, "allow-held"):
		return "Look at what is gone. An override where the connector runs lets one such sync pass."
	case console.ProvisioningOff(t.Result.Code, said) && !strings.Contains(said, "BATON_PROVISIONING"):
		return "Set BATON_PROVISIONING=true where the connector runs, and start it again."
	}
	return ""
}

// Took returns the duration of a task, from its last lease to its result.
func (logPage) Took(t rpc.Task) string {
	if t.Result.At.IsZero() || t.Lease.Since.IsZero() {
		return "–"
	}
	return t.Result.At.Sub(t.Lease.Since).Round(10 * time.Millisecond).String()
}

func connectorLog(c *call) error {
	h, err := c.connectorHead("log")
	if err != nil {
		return err
	}
	var before int64
	if err := c.place(&before); err != nil {
		return err
	}
	p := logPage{Head: h}
	if p.Tasks, p.Next, err = c.console().Tasks(c.ctx(), c.caller, c.connector(), before, rowsPerPage); err != nil {
		return err
	}
	return c.page("connector-log", h.Connector.Name, p)
}

// NextPath returns the address of the next page; "" at the end.
func (p logPage) NextPath() string {
	if p.Next == 0 {
		return ""
	}
	return "?after=" + url.QueryEscape(cursor(p.Next))
}

// continueConnector makes a new connector replace another one of its app.
func continueConnector(c *call) error {
	err := c.console().ContinueConnector(c.ctx(), c.caller, c.connector(), console.ID(c.r.PostFormValue("former")))
	if k := baton.KindOf(err); err != nil && (k == baton.Refused || k == baton.Unavailable) {
		p, failed := c.settings()
		if failed != nil {
			return failed
		}
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "connector-settings", p.Head.Connector.Name, p)
	}
	if err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()) + "/settings")
}
