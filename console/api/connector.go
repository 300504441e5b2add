package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
)

// syncStatuses are the platform's states of connectors.
var syncStatuses = map[console.ConnectionState]string{
	console.Syncing: "SYNC_STATUS_RUNNING", console.Connected: "SYNC_STATUS_DONE", console.Paused: "SYNC_STATUS_DISABLED",
	console.Held: "SYNC_STATUS_ERROR", console.HeldByConnector: "SYNC_STATUS_ERROR", console.ConnectorError: "SYNC_STATUS_ERROR", console.Offline: "SYNC_STATUS_ERROR",
}

func connectorOf(s govern.ConnectorSummary) connector {
	con := s.Connector
	m := connector{AppID: string(s.App.ID), CatalogID: con.Product, CreatedAt: stamp(con.ID.Time()), DisplayName: text(con.Name), ID: string(con.ID)}
	if m.CatalogID == "" {
		m.CatalogID = govern.Generic.Name
	}
	for _, o := range con.Owners {
		m.UserIDs = append(m.UserIDs, string(o))
	}
	m.Status.Status = "SYNC_STATUS_UNSPECIFIED"
	if status, ok := syncStatuses[s.State]; ok {
		m.Status.Status = status
	}
	if m.Status.Status == "SYNC_STATUS_ERROR" {
		m.Status.LastError = s.Sentence
	}
	if s.Applied != nil {
		m.Status.StartedAt, m.Status.CompletedAt, m.Status.UpdatedAt = stamp(s.Applied.Began), stamp(s.Applied.Applied), stamp(s.Applied.Applied)
	}
	if con.Paused {
		m.SyncDisabledCategory, m.SyncDisabledReason = "paused", s.Sentence
	}
	return m
}

type connectorResponse struct {
	ConnectorView connectorView `json:"connectorView"`
	Expanded      list[any]     `json:"expanded"`
}

// connectorIn returns the connector in the path, if it belongs to the app in the path.
func (c *call) connectorIn() (v govern.ConnectorView, err error) {
	return c.connectorOf(c.path("app"), c.path("connector"))
}

func (c *call) connectorOf(app, id console.ID) (v govern.ConnectorView, err error) {
	if v, err = c.Console.Connector(c.ctx(), c.caller, id); err == nil && v.App.ID != app {
		err = baton.Errorf(baton.NotFound, "no connector")
	}
	return v, err
}

func getConnector(c *call) (*connectorResponse, error) {
	v, err := c.connectorIn()
	return &connectorResponse{ConnectorView: connectorView{Connector: connectorOf(v.ConnectorSummary)}}, err
}

type connectorsResponse struct {
	Expanded      list[any]           `json:"expanded"`
	List          list[connectorView] `json:"list"`
	NextPageToken string              `json:"nextPageToken"`
}

func listConnectors(c *call) (*connectorsResponse, error) {
	all, err := c.Console.AppConnectors(c.ctx(), c.caller, c.path("app"))
	out := connectorsResponse{}
	for _, s := range all {
		out.List = append(out.List, connectorView{Connector: connectorOf(s)})
	}
	return &out, err
}

type createConnectorRequest struct {
	CatalogID   string                     `json:"catalogId"`
	Description string                     `json:"description"`
	DisplayName string                     `json:"displayName"`
	UserIDs     []string                   `json:"userIds"`
	Config      map[string]json.RawMessage `json:"config"`
}

// createConnector adds a connector that runs elsewhere. An unknown catalogId means another Baton
// connector.
func createConnector(c *call, r createConnectorRequest) (*connectorResponse, error) {
	return c.createConnector(r, false)
}

// createHostedConnector adds a hosted connector with its settings.
func createHostedConnector(c *call, r createConnectorRequest) (*connectorResponse, error) {
	return c.createConnector(r, true)
}

func (c *call) createConnector(r createConnectorRequest, hosted bool) (*connectorResponse, error) {
	if r.Description != "" {
		return nil, errNotKept("description")
	}
	product, err := c.Console.Product(strings.TrimPrefix(r.CatalogID, "baton-"))
	if err != nil {
		if hosted {
			return nil, baton.Errorf(baton.Invalid, "the console cannot run a connector %q itself", r.CatalogID).WithFix("Its catalogue has those that it runs.")
		}
		product = govern.Generic
	}
	n := govern.NewConnector{Name: r.DisplayName, Product: product.Name, App: c.path("app"), Owners: ids(r.UserIDs), Hosted: hosted}
	if n.Name == "" {
		n.Name = product.DisplayName
	}
	var texts map[string]string
	var secrets map[string]baton.Secret
	if hosted {
		if texts, secrets, err = settingsOf(product, r.Config); err != nil {
			return nil, err
		}
		if err := product.Check(texts, secrets); err != nil {
			return nil, err
		}
	}
	id, err := c.Console.AddConnector(c.ctx(), c.caller, n)
	if err == nil && hosted {
		err = c.Console.ConfigureHosted(c.ctx(), c.caller, id, texts, secrets)
	}
	if err != nil {
		return nil, err
	}
	v, err := c.connectorOf(n.App, id)
	return &connectorResponse{ConnectorView: connectorView{Connector: connectorOf(v.ConnectorSummary)}}, err
}

// settingsOf decodes the settings of a connector: texts, numbers, booleans or lists, by setting
// names with dashes or underscores.
func settingsOf(p govern.Product, config map[string]json.RawMessage) (texts map[string]string, secrets map[string]baton.Secret, err error) {
	texts, secrets = map[string]string{}, map[string]baton.Secret{}
	for name, raw := range config {
		if name == "@type" {
			continue
		}
		dashed := strings.ReplaceAll(name, "_", "-")
		i := slices.IndexFunc(p.Settings, func(s baton.Setting) bool { return s.Name == dashed })
		if i < 0 {
			return nil, nil, baton.Errorf(baton.Invalid, "%s has no setting %q", p.DisplayName, name)
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, nil, baton.Errorf(baton.Invalid, "the setting %s cannot be read", name)
		}
		var text string
		switch v := value.(type) {
		case nil:
			continue
		case string:
			text = v
		case []any:
			var parts []string
			for _, one := range v {
				parts = append(parts, fmt.Sprint(one))
			}
			text = strings.Join(parts, ",")
		case bool:
			text = fmt.Sprint(v)
		case float64:
			text = string(raw)
		default:
			return nil, nil, baton.Errorf(baton.Invalid, "the setting %s is neither a text nor a list", name)
		}
		if p.Settings[i].Kind == baton.SecretSetting {
			secrets[dashed] = baton.NewSecret(text)
		} else {
			texts[dashed] = text
		}
	}
	return texts, secrets, nil
}

type updateConnectorRequest struct {
	Connector struct {
		DisplayName string                     `json:"displayName"`
		UserIDs     []string                   `json:"userIds"`
		Config      map[string]json.RawMessage `json:"config"`
	} `json:"connector"`
	UpdateMask mask `json:"updateMask"`
}

func updateConnector(c *call, r updateConnectorRequest) (*connectorResponse, error) {
	fields, err := r.UpdateMask.fields(c.body, "connector", "displayName", "userIds", "config")
	if err != nil {
		return nil, err
	}
	v, err := c.connectorIn()
	if err != nil {
		return nil, err
	}
	con := v.Connector
	s := govern.SettingsOf(con)
	if slices.Contains(fields, "displayName") {
		s.Name = r.Connector.DisplayName
	}
	if slices.Contains(fields, "userIds") {
		s.Owners = ids(r.Connector.UserIDs)
	}
	if slices.Contains(fields, "config") {
		product, err := c.Console.Product(con.Product)
		if err != nil {
			return nil, err
		}
		texts, secrets, err := settingsOf(product, r.Connector.Config)
		if err == nil {
			err = c.Console.ConfigureHosted(c.ctx(), c.caller, con.ID, texts, secrets)
		}
		if err != nil {
			return nil, err
		}
	}
	if slices.Contains(fields, "displayName") || slices.Contains(fields, "userIds") {
		if err := c.Console.ConfigureConnector(c.ctx(), c.caller, con.ID, s); err != nil {
			return nil, err
		}
	}
	return getConnector(c)
}

func removeConnector(c *call) (*empty, error) {
	v, err := c.connectorIn()
	if err != nil {
		return nil, err
	}
	return &empty{}, c.Console.RemoveConnector(c.ctx(), c.caller, v.Connector.ID)
}

// credentialID returns the id of a credential for paths, where client ids would need escapes.
func credentialID(clientID string) string {
	sum := sha256.Sum256([]byte(clientID))
	return base64.RawURLEncoding.EncodeToString(sum[:20])
}

func credentialOf(v govern.ConnectorView, cr rpc.Credential) connectorCredential {
	name, _, _ := strings.Cut(cr.ClientID, "@")
	return connectorCredential{AppID: string(v.App.ID), ClientID: cr.ClientID, ConnectorID: string(v.Connector.ID), CreatedAt: stamp(cr.Created), DeletedAt: stamp(cr.Revoked),
		DisplayName: text(name), ExpiresTime: stamp(cr.Expires), ID: credentialID(cr.ClientID), LastUsedAt: stamp(cr.LastUsed), UpdatedAt: stamp(cr.Created)}
}

type credentialResponse struct {
	Credential connectorCredential `json:"credential"`
}

type rotateCredentialRequest struct {
	AppID       string `json:"appId"`
	ConnectorID string `json:"connectorId"`
}

// rotateCredential creates a credential. The previous ones expire after a day.
func rotateCredential(c *call, r rotateCredentialRequest) (*credentialResponse, error) {
	if _, err := c.connectorOf(console.ID(r.AppID), console.ID(r.ConnectorID)); err != nil {
		return nil, err
	}
	made, err := c.Console.Rotate(c.ctx(), c.caller, console.ID(r.ConnectorID))
	if err != nil {
		return nil, err
	}
	v, err := c.connectorOf(console.ID(r.AppID), console.ID(r.ConnectorID))
	if err != nil {
		return nil, err
	}
	out := credentialOf(v, rpc.Credential{ClientID: made.ClientID, Created: c.Console.Now()})
	for _, cr := range v.Credentials {
		if cr.ClientID == made.ClientID {
			out = credentialOf(v, cr)
		}
	}
	out.ClientSecret = made.Secret.Reveal()
	return &credentialResponse{out}, nil
}

// credential returns the credential in the path.
func (c *call) credential() (govern.ConnectorView, rpc.Credential, error) {
	v, err := c.connectorIn()
	if err != nil {
		return v, rpc.Credential{}, err
	}
	for _, cr := range v.Credentials {
		if credentialID(cr.ClientID) == c.r.PathValue("credential") {
			return v, cr, nil
		}
	}
	return v, rpc.Credential{}, baton.Errorf(baton.NotFound, "no credential")
}

func getCredential(c *call) (*credentialResponse, error) {
	v, cr, err := c.credential()
	return &credentialResponse{credentialOf(v, cr)}, err
}

type credentialsResponse struct {
	List          list[connectorCredential] `json:"list"`
	NextPageToken string                    `json:"nextPageToken"`
}

func listCredentials(c *call) (*credentialsResponse, error) {
	v, err := c.connectorIn()
	var out credentialsResponse
	for _, cr := range v.Credentials {
		out.List = append(out.List, credentialOf(v, cr))
	}
	return &out, err
}

func revokeCredential(c *call) (*empty, error) {
	v, cr, err := c.credential()
	if err == nil {
		err = c.Console.RevokeCredential(c.ctx(), c.caller, v.Connector.ID, cr.ClientID)
	}
	return &empty{}, err
}

// ownConnector is a connector in the console's own form.
type ownConnector struct {
	connector
	Product  string `json:"product"`
	Hosting  string `json:"hosting"`
	State    string `json:"state"`
	Sentence string `json:"sentence"`
	Interval string `json:"interval"` // "3600s"
	Paused   bool   `json:"paused"`
}

func ownConnectorOf(s govern.ConnectorSummary) ownConnector {
	return ownConnector{connector: connectorOf(s), Product: s.Connector.Product, Hosting: string(s.Connector.Hosting), State: string(s.State), Sentence: s.Sentence,
		Interval: fmt.Sprintf("%ds", s.Connector.Interval/time.Second), Paused: s.Connector.Paused}
}

type ownConnectorResponse struct {
	Connector ownConnector `json:"connector"`
}

type ownConnectorsResponse struct {
	List          list[ownConnector] `json:"list"`
	NextPageToken string             `json:"nextPageToken"`
}

func listAllConnectors(c *call) (*ownConnectorsResponse, error) {
	all, err := c.Console.Connectors(c.ctx(), c.caller)
	var out ownConnectorsResponse
	for _, s := range all {
		out.List = append(out.List, ownConnectorOf(s))
	}
	return &out, err
}

func getOwnConnector(c *call) (*ownConnectorResponse, error) {
	v, err := c.Console.Connector(c.ctx(), c.caller, c.path("connector"))
	return &ownConnectorResponse{ownConnectorOf(v.ConnectorSummary)}, err
}

func (c *call) act(err error) (*ownConnectorResponse, error) {
	if err != nil {
		return nil, err
	}
	return getOwnConnector(c)
}

func syncConnector(c *call) (*ownConnectorResponse, error) {
	return c.act(c.Console.SyncNow(c.ctx(), c.caller, c.path("connector")))
}

func pauseConnector(c *call) (*ownConnectorResponse, error) {
	return c.act(c.Console.PauseConnector(c.ctx(), c.caller, c.path("connector"), true))
}

func resumeConnector(c *call) (*ownConnectorResponse, error) {
	return c.act(c.Console.PauseConnector(c.ctx(), c.caller, c.path("connector"), false))
}
