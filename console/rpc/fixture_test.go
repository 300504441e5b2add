package rpc_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// clock is a clock that only moves when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type fixture struct {
	*rpctest.Server
	t     *testing.T
	clock *clock
	tls   *tls.Config
	conn  *grpc.ClientConn
}

func newFixture(t *testing.T, edit ...func(*rpctest.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	config := rpctest.Config{
		Dir: t.TempDir(), Now: f.clock.Now, OtherHosts: []string{"second.example:8443"},
		Lease: time.Minute, Poll: time.Second, Heartbeat: 10 * time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, e := range edit {
		e(&config)
	}
	local, err := rpctest.Listen(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = local.Close() })
	f.Server = local
	pem, err := os.ReadFile(local.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	f.tls = &tls.Config{RootCAs: pool}
	f.conn, err = grpc.NewClient(local.Address(), grpc.WithTransportCredentials(credentials.NewTLS(f.tls)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.conn.Close() })
	return f
}

// credential is the parsed configuration of a connector.
type credential struct {
	id  string
	key ed25519.PrivateKey
}

func (f *fixture) issue(connector string) credential {
	f.t.Helper()
	id, secret, err := f.Issue(f.t.Context(), connector)
	if err != nil {
		f.t.Fatal(err)
	}
	parts := strings.SplitN(secret.Reveal(), ":", 4)
	if len(parts) != 4 || parts[0] != "secret-token" || parts[1] != "127.0.0.1" || parts[2] != "v1" {
		f.t.Fatalf("secret has another form: %d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil {
		f.t.Fatal(err)
	}
	var jwk struct{ Kty, Crv, X, D string }
	if err := json.Unmarshal(b, &jwk); err != nil || jwk.Kty != "OKP" || jwk.Crv != "Ed25519" {
		f.t.Fatalf("JWK: %v %v", jwk.Kty, err)
	}
	seed, err := base64.RawURLEncoding.DecodeString(jwk.D)
	if err != nil {
		f.t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	if base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)) != jwk.X {
		f.t.Fatal("the halves of the key do not fit")
	}
	return credential{id: id, key: key}
}

// jws signs an assertion as connectors do.
func jws(key ed25519.PrivateKey, header, claims map[string]any) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(header) + "." + part(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}

func (f *fixture) claims(c credential) (header, claims map[string]any) {
	now := f.clock.Now().Unix()
	return map[string]any{"alg": "EdDSA", "nonce": rand.Text()},
		map[string]any{"iss": c.id, "sub": c.id, "aud": "127.0.0.1", "exp": now + 120, "iat": now, "nbf": now - 120}
}

func form(clientID, assertion string) url.Values {
	return url.Values{
		"client_id": {clientID}, "grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
}

type tokenAnswer struct {
	code        int
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Error       string `json:"error"`
}

func (f *fixture) post(values url.Values) (tokenAnswer, error) {
	f.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: f.tls.Clone(), ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	resp, err := client.PostForm("https://"+f.Address()+"/auth/v1/token", values)
	if err != nil {
		return tokenAnswer{}, err
	}
	defer resp.Body.Close()
	a := tokenAnswer{code: resp.StatusCode}
	if resp.Header.Get("Content-Type") == "application/json" {
		err = json.NewDecoder(resp.Body).Decode(&a)
	}
	return a, err
}

func (f *fixture) token(c credential) string {
	f.t.Helper()
	header, claims := f.claims(c)
	a, err := f.post(form(c.id, jws(c.key, header, claims)))
	if err != nil || a.code != http.StatusOK || a.TokenType != "Bearer" || a.AccessToken == "" {
		f.t.Fatalf("token: %+v, %v", a, err)
	}
	return a.AccessToken
}

// host is one process of a connector.
type host struct {
	batonv1.BatonServiceClient
	t   *testing.T
	id  string
	ctx context.Context
}

func (f *fixture) host(id, token string) *host {
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	f.t.Cleanup(cancel)
	return &host{BatonServiceClient: batonv1.NewBatonServiceClient(f.conn), t: f.t, id: id,
		ctx: metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)}
}

func (h *host) poll() *batonv1.Task {
	h.t.Helper()
	answer, err := h.GetTask(h.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: h.id})
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.GetTask()
}

func (h *host) pollID() string { h.t.Helper(); return h.poll().GetId() }

func (h *host) beat(id string) (bool, error) {
	answer, err := h.Heartbeat(h.ctx, &batonv1.BatonServiceHeartbeatRequest{HostId: h.id, TaskId: id})
	return answer.GetCancelled(), err
}

func (h *host) succeed(id string) error {
	_, err := h.FinishTask(h.ctx, &batonv1.BatonServiceFinishTaskRequest{HostId: h.id, TaskId: id,
		FinalState: &batonv1.BatonServiceFinishTaskRequest_Success_{Success: &batonv1.BatonServiceFinishTaskRequest_Success{}}})
	return err
}

func (h *host) hello(taskID string) error {
	_, err := h.Hello(h.ctx, helloRequest(h.id, taskID))
	return err
}

func helloRequest(host, taskID string) *batonv1.BatonServiceHelloRequest {
	return &batonv1.BatonServiceHelloRequest{HostId: host, TaskId: taskID, ConnectorMetadata: &connectorv2.ConnectorMetadata{DisplayName: "C"}}
}

type part = batonv1.BatonServiceUploadAssetRequest

func metadataPart(host, task string) *part {
	return &part{Msg: &batonv1.BatonServiceUploadAssetRequest_Metadata{
		Metadata: &batonv1.BatonServiceUploadAssetRequest_UploadMetadata{HostId: host, TaskId: task}}}
}

func dataPart(b []byte) *part {
	return &part{Msg: &batonv1.BatonServiceUploadAssetRequest_Data{Data: &batonv1.BatonServiceUploadAssetRequest_UploadData{Data: b}}}
}

func eofPart(sum []byte) *part {
	return &part{Msg: &batonv1.BatonServiceUploadAssetRequest_Eof{Eof: &batonv1.BatonServiceUploadAssetRequest_UploadEOF{Sha256Checksum: sum}}}
}

func (h *host) upload(parts ...*part) error {
	stream, err := h.UploadAsset(h.ctx)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if stream.Send(p) != nil {
			break // the response says why
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}

// uploadFile sends a file as connectors do, in pieces of 512 KiB.
func (h *host) uploadFile(task string, content []byte) error {
	parts := []*part{metadataPart(h.id, task)}
	for rest := content; len(rest) > 0; {
		n := min(len(rest), 512<<10)
		parts, rest = append(parts, dataPart(rest[:n])), rest[n:]
	}
	sum := sha256.Sum256(content)
	return h.upload(append(parts, eofPart(sum[:]))...)
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
}

func (f *fixture) enqueue(connector string, work *batonv1.Task) string {
	f.t.Helper()
	id, err := f.Enqueue(f.t.Context(), connector, work)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func (f *fixture) task(id string) rpctest.Task {
	f.t.Helper()
	for _, task := range f.Tasks() {
		if task.ID == id {
			return task
		}
	}
	f.t.Fatalf("no task %s", id)
	return rpctest.Task{}
}

func syncTask() *batonv1.Task {
	return &batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}}
}

func grantTask() *batonv1.Task {
	return &batonv1.Task{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{
		Entitlement: &connectorv2.Entitlement{Id: "group:g1:member"}}}}
}

func listTask() *batonv1.Task {
	return &batonv1.Task{TaskType: &batonv1.Task_ListEventFeeds{ListEventFeeds: &batonv1.Task_ListEventFeedsTask{}}}
}

// syncFile returns n bytes that begin as a sync file does.
func syncFile(n int) []byte { return append([]byte("C1ZF\x00"), pattern(n-5)...) }

func pattern(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n] }
