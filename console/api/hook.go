package api

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/telemetry"
)

// hookMessage is an incoming webhook.
type hookMessage struct {
	ID                  string `json:"id"`
	Name                string `json:"name"`
	Path                string `json:"path"`
	On                  bool   `json:"on"`
	CreatedAt           stamp  `json:"createdAt"`
	CreatorID           string `json:"creatorId"`
	ReceivedAt          stamp  `json:"receivedAt"`
	Messages            int64  `json:"messages,string"`
	RefusedAt           stamp  `json:"refusedAt"`
	Why                 string `json:"why"`
	PreviousSecretWorks stamp  `json:"previousSecretWorksUntil"`
}

func hookOf(h console.Hook) hookMessage {
	return hookMessage{string(h.ID), h.Name, HookPath + string(h.ID), h.On, stamp(h.Created), string(h.Creator), stamp(h.Received), h.Messages, stamp(h.Refused), h.Why, stamp(h.PreviousUntil)}
}

type hookResponse struct {
	Hook hookMessage `json:"hook"`
}

// hookSecretResponse has the secret, which is shown once.
type hookSecretResponse struct {
	Hook   hookMessage `json:"hook"`
	Secret string      `json:"secret"`
}

// hooksResponse is the list of incoming webhooks. There are at most [console.MaxHooks].
type hooksResponse struct {
	List          list[hookMessage] `json:"list"`
	NextPageToken string            `json:"nextPageToken"`
}

func listHooks(c *call) (*hooksResponse, error) {
	all, err := c.Console.Hooks(c.ctx(), c.caller)
	var out hooksResponse
	for _, h := range all {
		out.List = append(out.List, hookOf(h))
	}
	return &out, err
}

func getHook(c *call) (*hookResponse, error) {
	v, err := c.Console.Hook(c.ctx(), c.caller, c.path("hook"))
	return &hookResponse{hookOf(v.Hook)}, err
}

type createHookRequest struct {
	Name string `json:"name"`
}

func createHook(c *call, r createHookRequest) (*hookSecretResponse, error) {
	made, err := c.Console.AddHook(c.ctx(), c.caller, r.Name)
	return hookMade(made, err)
}

func hookMade(m govern.MadeHook, err error) (*hookSecretResponse, error) {
	return &hookSecretResponse{hookOf(m.Hook), m.Secret.Reveal()}, err
}

type updateHookRequest struct {
	Hook struct {
		Name string `json:"name"`
		On   bool   `json:"on"`
	} `json:"hook"`
	UpdateMask mask `json:"updateMask"`
}

func updateHook(c *call, r updateHookRequest) (*hookResponse, error) {
	fields, err := r.UpdateMask.fields(c.body, "hook", "name", "on")
	if err != nil {
		return nil, err
	}
	v, err := c.Console.Hook(c.ctx(), c.caller, c.path("hook"))
	if err != nil {
		return nil, err
	}
	name, on := v.Name, v.On
	for _, f := range fields {
		switch f {
		case "name":
			name = r.Hook.Name
		case "on":
			on = r.Hook.On
		}
	}
	if err := c.Console.ChangeHook(c.ctx(), c.caller, v.ID, v.Version, name, on); err != nil {
		return nil, err
	}
	return getHook(c)
}

func rotateHook(c *call) (*hookSecretResponse, error) {
	made, err := c.Console.RotateHook(c.ctx(), c.caller, c.path("hook"))
	return hookMade(made, err)
}

func deleteHook(c *call) (*empty, error) {
	return &empty{}, c.Console.RemoveHook(c.ctx(), c.caller, c.path("hook"))
}

// HookPath is the path under which other systems post. Their id of an incoming webhook follows.
const HookPath = "/hooks/"

// Hooks returns a handler of [HookPath]. Its callers have no credential: they sign what they post.
func (c Config) Hooks() http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+HookPath+"{hook}", c.receiveHook)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(&http.Request{Method: http.MethodPost, URL: r.URL, Host: r.Host}); pattern != "/" {
			w.Header().Set("Allow", http.MethodPost)
			answerJSON(w, http.StatusMethodNotAllowed, hookAnswer{"Messages are posted here."})
			return
		}
		answerJSON(w, http.StatusNotFound, hookAnswer{"There is no incoming webhook here."})
	})
	return mux
}

// hookTime is how long a sender may take for the body of a message.
const hookTime = 20 * time.Second

// hookAnswer is the answer to a message.
type hookAnswer struct {
	Message string `json:"message"`
}

func (c Config) receiveHook(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	id := telemetry.Begin(r, "POST "+HookPath+"{hook}")
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(hookTime)) // an error means that the server supports no deadline
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, console.MaxHookBody))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		answerJSON(w, http.StatusRequestEntityTooLarge, hookAnswer{"The message is larger than 64 KB."})
		return
	}
	if err != nil {
		answerJSON(w, http.StatusBadRequest, hookAnswer{"The message ended early."})
		return
	}
	again, err := c.Console.ReceiveHook(r.Context(), console.ID(r.PathValue("hook")), r.Header, body, id, addressOf(r))
	switch {
	case err == nil && again:
		answerJSON(w, http.StatusAccepted, hookAnswer{"Received before."})
	case err == nil:
		answerJSON(w, http.StatusAccepted, hookAnswer{"Received."})
	default:
		code, ok := statuses[baton.KindOf(err)]
		message := sentence(err.Error())
		if !ok || code >= 500 {
			c.Log.ErrorContext(r.Context(), "a message of an incoming webhook was not stored", "request", id, "hook", r.PathValue("hook"), "error", err)
			code, message = http.StatusServiceUnavailable, "Something went wrong. Send it again later."
		}
		answerJSON(w, code, hookAnswer{message})
	}
}
