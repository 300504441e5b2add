package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"baton"
	"baton/console"
)

// DevicePath is the path at which programs request a credential of their user (RFC 8628).
const DevicePath = "/auth/v1/device_authorization"

// deviceGrant is the grant type of the token request.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// DevicePage is the path of the page where people type the code.
const DevicePage = "/device"

// maxForm limits the body of a request to these paths, in bytes.
const maxForm = 64 << 10

// Device returns a handler of [DevicePath]. origin is the address of the console's pages.
//
// The address in the response has no code. The person must type it, so that opening a link of an
// attacker is not enough to connect a program.
func (c Config) Device(origin *url.URL) http.Handler {
	page := origin.JoinPath(DevicePage).String()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !readForm(w, r) {
			return
		}
		n, err := c.Console.StartDevice(r.Context(), r.PostForm.Get("client_id"), addressOf(r))
		if err != nil {
			c.refuse(w, r, err)
			return
		}
		answerJSON(w, http.StatusOK, map[string]any{
			"device_code": n.Code.Reveal(), "user_code": n.Typed, "verification_uri": page, "verification_uri_complete": page,
			"expires_in": int(console.DeviceLife / time.Second), "interval": int(console.DeviceLook / time.Second),
		})
	})
}

// Token returns a handler of the token endpoint that answers device requests and passes all others
// to next.
func (c Config) Token(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if r.ParseForm() == nil && r.PostForm.Get("grant_type") == deviceGrant {
				c.deviceToken(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (c Config) deviceToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	state, token, err := c.Console.AnswerDevice(r.Context(), baton.NewSecret(r.PostForm.Get("device_code")), addressOf(r))
	switch {
	case baton.KindOf(err) == baton.NotFound:
		answerJSON(w, http.StatusBadRequest, oauthError{"expired_token", "The code has expired or was used. Start the program again."})
	case err != nil:
		c.refuse(w, r, err)
	case state == console.DeviceWaiting: // never slow_down, on which programs give up
		answerJSON(w, http.StatusBadRequest, oauthError{"authorization_pending", "Nobody has confirmed the code yet."})
	case state == console.DeviceRefused:
		answerJSON(w, http.StatusBadRequest, oauthError{"access_denied", "The code was refused on the page of the console."})
	default:
		answerJSON(w, http.StatusOK, map[string]any{"access_token": token.Reveal(), "token_type": "Bearer", "expires_in": int(console.DeviceLife / time.Second)})
	}
}

// oauthError is an error of RFC 6749.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// readForm parses the form of a request, and responds with an error if there is none.
func readForm(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answerJSON(w, http.StatusMethodNotAllowed, oauthError{"invalid_request", "This path takes POST requests only."})
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		answerJSON(w, http.StatusBadRequest, oauthError{"invalid_request", "The form cannot be read."})
		return false
	}
	return true
}

func (c Config) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch baton.KindOf(err) {
	case baton.Invalid:
		answerJSON(w, http.StatusBadRequest, oauthError{"invalid_client", sentence(err.Error())})
	case baton.RateLimited:
		answerJSON(w, http.StatusTooManyRequests, oauthError{"temporarily_unavailable", "Too many programs wait for a confirmation. Try again later."})
	default:
		if c.Log != nil {
			c.Log.ErrorContext(r.Context(), "a program could not request a credential", "error", err)
		}
		answerJSON(w, http.StatusServiceUnavailable, oauthError{"temporarily_unavailable", "The console cannot answer now."})
	}
}

func answerJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has closed the connection
}

type createPersonalClientRequest struct {
	DisplayName string `json:"displayName"`
}

type personalClient struct {
	ClientID    string `json:"clientId"`
	CreatedAt   stamp  `json:"createdAt"`
	DisplayName string `json:"displayName"`
	ExpiresTime stamp  `json:"expiresTime"`
	ID          string `json:"id"`
	UserID      string `json:"userId"`
}

type createPersonalClientResponse struct {
	Client       personalClient `json:"client"`
	ClientSecret string         `json:"clientSecret"`
}

// createPersonalClient creates the credential of a program that a person allowed. Credentials
// themselves cannot create any.
func createPersonalClient(c *call, r createPersonalClientRequest) (*createPersonalClientResponse, error) {
	token, err := c.bearer()
	if err != nil {
		return nil, err
	}
	if r.DisplayName == "" {
		r.DisplayName = "A program"
	}
	m, err := c.Console.AddDeviceClient(c.ctx(), token, r.DisplayName, c.id, addressOf(c.r), source(c.r.Header.Get(sourceHeader)))
	if err != nil {
		return nil, err
	}
	return &createPersonalClientResponse{Client: personalClient{ClientID: m.ClientID, CreatedAt: stamp(m.Created), DisplayName: m.Name, ExpiresTime: stamp(m.Expires), ID: string(m.ID),
		UserID: string(m.Person)}, ClientSecret: m.Secret.Reveal()}, nil
}
