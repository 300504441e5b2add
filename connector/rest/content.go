package rest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"baton"
	"baton/internal/jsonscan"
)

// ErrHTML is in the chain of the error for a web page in place of an API response: a login page, a portal, or
// the wrong URL.
var ErrHTML = errors.New("got an HTML page instead of an answer of the API")

// htmlError is an ErrHTML with a description of the page.
type htmlError struct{ page string }

func (e *htmlError) Error() string { return "got " + e.page + " instead of an answer of the API" }

func (e *htmlError) Is(target error) bool { return target == ErrHTML }

// minQuerySecret: from this length on, the value of a query parameter is treated as a secret.
const minQuerySecret = 12

// redactor replaces the secret, and long values in the query of the base URL, in every spelling in which an
// upstream may echo them.
func redactor(secret baton.Secret, query url.Values) *strings.Replacer {
	secrets := []baton.Secret{secret}
	for _, values := range query {
		for _, value := range values {
			if len(value) >= minQuerySecret {
				secrets = append(secrets, baton.NewSecret(value))
			}
		}
	}
	var pairs []string
	for _, secret := range secrets {
		value := secret.Reveal()
		if value == "" {
			continue
		}
		quoted, _ := json.Marshal(value)
		for _, spelling := range []string{
			value,
			strings.Trim(string(quoted), `"`),
			strings.ReplaceAll(value, "/", `\/`), // as some JSON encoders have it
			url.QueryEscape(value),
			url.PathEscape(value),
			base64.StdEncoding.EncodeToString([]byte(value)),
		} {
			pairs = append(pairs, spelling, secret.String())
		}
	}
	return strings.NewReplacer(pairs...)
}

// readBody reads a body as text. It fails for more than c.maxBody bytes after decompression.
func (c *Client) readBody(resp *http.Response) ([]byte, *failure) {
	text, err := textReader(resp)
	if err != nil {
		return nil, c.networkFailure(err)
	}
	body, err := io.ReadAll(io.LimitReader(text, c.maxBody+1))
	if int64(len(body)) > c.maxBody {
		return nil, c.tooLarge()
	}
	if err != nil {
		return nil, c.networkFailure(err)
	}
	return body, nil
}

// ErrTooLarge is in the chain of the error for a response that exceeds the size limit.
var ErrTooLarge = errors.New("the answer is larger")

func (c *Client) tooLarge() *failure {
	err := fmt.Errorf("%w than the limit of %d bytes", ErrTooLarge, c.maxBody)
	return &failure{kind: baton.Invalid, err: err, fix: "the limit is fixed: have whoever runs the upstream send less in one answer"}
}

func breaksOff() *failure {
	return &failure{kind: baton.Unavailable, err: errors.New("the answer breaks off in the middle"), retry: retryIfSafe}
}

func notJSON() *failure {
	return &failure{kind: baton.Invalid, err: errors.New("the answer is not JSON"), fix: "check the URL"}
}

// notUnicode returns the failure for text that package jsonscan rejected.
func notUnicode(err *jsonscan.EncodingError, h http.Header) *failure {
	label := "no charset is declared"
	if name, _ := declared(h); name != "" {
		label = fmt.Sprintf("the declared charset is %q", name)
	}
	return &failure{kind: baton.Invalid, err: fmt.Errorf("%w; %s", err, label), fix: FixUnicode}
}

// FixUnicode is the advice for a *jsonscan.EncodingError.
const FixUnicode = "correct that text in the upstream, or have the server send UTF-8 or declare the charset that it sends"

// checkContent rejects responses that cannot come from the API, whatever their content type says. Only the
// body of a GET must be JSON.
func checkContent(method string, h http.Header, body []byte) *failure {
	if isHTML(h, body) {
		return &failure{kind: baton.Invalid, err: &htmlError{pageOf(h, body)}, fix: "check the URL: it leads to a web page, or something between here and the upstream answered, such as a proxy, a firewall or a login page"}
	}
	if method != http.MethodGet || len(bytes.TrimSpace(body)) == 0 || json.Valid(body) {
		return nil
	}
	var v json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&v); errors.Is(err, io.ErrUnexpectedEOF) {
		return breaksOff()
	}
	return notJSON()
}
