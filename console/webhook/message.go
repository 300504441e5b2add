package webhook

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
)

// ID returns the id of an event for receivers. It is the same for each attempt and each replay, and
// different from that of every other event, also of another console.
func ID(hash console.Hash) string { return "evt_" + hex.EncodeToString(hash[:16]) }

// message is the body of a signed message.
type message struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      data   `json:"data"`
}

// data names what an event is about: ids and links. Whoever may see more asks the console with a
// credential of their own.
type data struct {
	ID          string     `json:"id"`
	Number      int64      `json:"number"` // in the audit log
	Actor       actor      `json:"actor"`
	App         console.ID `json:"app,omitempty"`
	Connector   console.ID `json:"connector,omitempty"`
	Person      console.ID `json:"person,omitempty"`
	Account     string     `json:"account,omitempty"`
	Entitlement string     `json:"entitlement,omitempty"`
	Object      string     `json:"object,omitempty"`
	Links       links      `json:"links"`
}

type actor struct {
	Kind console.ActorKind `json:"kind"`
	ID   string            `json:"id,omitempty"`
}

type links struct {
	Page  string `json:"page,omitempty"` // what it is about
	Audit string `json:"audit"`          // the event
	API   string `json:"api,omitempty"`  // what it is about
}

// Body returns the body of the message about an event. The same event has the same body.
func Body(base *url.URL, number int64, hash console.Hash, e console.Event) ([]byte, error) {
	d := data{ID: ID(hash), Number: number, Actor: actor{e.Actor.Kind, e.Actor.ID}, App: e.App, Connector: e.Connector, Person: e.Person, Object: e.Object}
	if e.Account != 0 {
		d.Account, d.Entitlement = strconv.FormatInt(int64(e.Account), 10), strconv.FormatInt(int64(e.Entitlement), 10)
	}
	d.Links.Audit = base.JoinPath("audit").String() + "?before=" + strconv.FormatInt(number+1, 10)
	if p := Page(e); p != "" {
		d.Links.Page = base.JoinPath(p).String()
	}
	if p := resource(e); p != "" {
		d.Links.API = base.JoinPath(p).String()
	}
	b, err := json.Marshal(message{e.Kind, e.At.UTC().Format(time.RFC3339Nano), d})
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "encode the event %d: %w", number, err)
	}
	return b, nil
}

// Page returns the path of the page about what an event is about; "" if there is none.
func Page(e console.Event) string {
	noun, _, _ := strings.Cut(e.Kind, ".")
	object := url.PathEscape(e.Object)
	switch {
	case noun == "request" && e.Object != "":
		return "/requests/" + object
	case noun == "automation" && e.Object != "" && e.Kind != "automation.removed":
		return "/automations/" + object
	case noun == "operation" && e.App != "" && e.Object != "":
		return "/applications/" + string(e.App) + "/operations/" + object
	case e.App != "" && e.Account != 0:
		return fmt.Sprintf("/applications/%s/accounts/%d/entitlements/%d", e.App, e.Account, e.Entitlement)
	case noun == "webhook" && e.Kind != console.HookReceived && e.Kind != "webhook.removed":
		return "/settings/webhooks/" + object
	case (noun == "hook" && e.Kind != "hook.removed") || e.Kind == console.HookReceived:
		return "/settings/hooks/" + object
	case e.Connector != "":
		return "/connectors/" + string(e.Connector)
	case e.App != "":
		return "/applications/" + string(e.App)
	case e.Person != "":
		return "/people/" + string(e.Person)
	}
	return ""
}

// resource returns the path of what an event is about in the REST interface; "" if it has none.
func resource(e console.Event) string {
	noun, _, _ := strings.Cut(e.Kind, ".")
	switch {
	case noun == "sync" && e.Object != "":
		return "/api/v1/syncs/" + url.PathEscape(e.Object)
	case e.Connector != "":
		return "/api/v1/connectors/" + string(e.Connector)
	case e.App != "":
		return "/api/v1/apps/" + string(e.App)
	case e.Person != "":
		return "/api/v1/users/" + string(e.Person)
	}
	return ""
}
