package service

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/internal/pause"
	"baton/wire"
)

const someID = "clever-otter-12345@tenant.conductor.one:8443/abc"

func someKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", 32))) }

// secretOf returns a client secret. edit may change its JWK.
func secretOf(edit func(jwk map[string]string)) string {
	key, encode := someKey(), base64.RawURLEncoding.EncodeToString
	jwk := map[string]string{"kty": "OKP", "crv": "Ed25519", "x": encode(key.Public().(ed25519.PublicKey)), "d": encode(key.Seed())}
	if edit != nil {
		edit(jwk)
	}
	b, _ := json.Marshal(jwk)
	return "secret-token:tenant.conductor.one:v1:" + encode(b)
}

func TestParseCredential(t *testing.T) {
	t.Parallel()
	c, err := parseCredential(someID, baton.NewSecret(secretOf(func(jwk map[string]string) { jwk["kid"] = "k1" })))
	if err != nil || c.name != "clever-otter-12345" || c.host != "tenant.conductor.one:8443" || c.keyID != "k1" || !c.key.Equal(someKey()) {
		t.Errorf("%+v, %v", c, err)
	}
	good := secretOf(nil)
	for name, bad := range map[string][2]string{
		"no name":         {"@tenant.conductor.one/abc", good},
		"no host":         {"otter@/abc", good},
		"no suffix":       {"otter@tenant.conductor.one", good},
		"odd host":        {"otter@ten ant/abc", good},
		"two hosts":       {"otter@a@b/abc", good},
		"odd port":        {"otter@tenant:80a/abc", good},
		"line break":      {someID + "\n", good},
		"no secret":       {someID, ""},
		"three parts":     {someID, "a:b:v1"},
		"another version": {someID, strings.Replace(good, ":v1:", ":v2:", 1)},
		"padding":         {someID, good + "="},
		"no JSON":         {someID, "a:b:v1:" + base64.RawURLEncoding.EncodeToString([]byte("hunter2"))},
		"another key":     {someID, secretOf(func(jwk map[string]string) { jwk["crv"] = "P-256" })},
		"public key":      {someID, secretOf(func(jwk map[string]string) { delete(jwk, "d") })},
		"short key":       {someID, secretOf(func(jwk map[string]string) { jwk["d"] = jwk["d"][:20] })},
		"two keys":        {someID, secretOf(func(jwk map[string]string) { jwk["x"] = jwk["d"] })},
	} {
		_, err := parseCredential(bad[0], baton.NewSecret(bad[1]))
		if baton.KindOf(err) != baton.Invalid || baton.FixOf(err) == "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseCredential(f *testing.F) {
	f.Add(someID, secretOf(nil))
	f.Add("otter@[::1]:8/abc", "a:b:v1:e30")
	f.Fuzz(func(t *testing.T, id, secret string) {
		c, err := parseCredential(id, baton.NewSecret(secret))
		if err == nil {
			if len(c.key) != ed25519.PrivateKeySize || c.name == "" || !validHost(c.host) {
				t.Errorf("%+v", c)
			}
			return
		}
		if parts := strings.SplitN(secret, ":", 4); len(parts) == 4 && len(parts[3]) > 12 && strings.Contains(err.Error(), parts[3]) {
			t.Errorf("the secret is told: %v", err)
		}
	})
}

// TestTokenRequest fixes the form of a token request.
func TestTokenRequest(t *testing.T) {
	t.Parallel()
	for _, keyID := range []string{"", "k1"} {
		var form map[string][]string
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil || r.Method != "POST" || r.URL.Path != "/auth/v1/token" ||
				r.UserAgent() != "baton-c1-credential-provider x/1" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%v %v %v (%v)", r.Method, r.URL, r.Header, err)
			}
			form = r.PostForm
			io.WriteString(w, `{"access_token":"at","token_type":"bearer","expires_in":600}`)
		}))
		defer server.Close()
		host := server.Listener.Addr().String()
		tokens := newTokens(credential{clientID: someID, key: someKey(), keyID: keyID}, host, "baton-c1-credential-provider x/1", server.Client().Transport, func(error) {})
		header, err := tokens.get(t.Context())
		if err != nil || header != "Bearer at" {
			t.Fatalf("%q, %v", header, err)
		}
		if len(form) != 4 || form["client_id"][0] != someID || form["grant_type"][0] != "client_credentials" ||
			form["client_assertion_type"][0] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			t.Errorf("form: %v", form)
		}
		parts := strings.Split(form["client_assertion"][0], ".")
		head, claims := decode(t, parts[0]), decode(t, parts[1])
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || !ed25519.Verify(someKey().Public().(ed25519.PublicKey), []byte(parts[0]+"."+parts[1]), signature) {
			t.Errorf("the signature is not good (%v)", err)
		}
		nonce, _ := head["nonce"].(string)
		delete(head, "nonce")
		want := map[string]any{"alg": "EdDSA"}
		if keyID != "" {
			want["kid"] = keyID
		}
		if len(nonce) != 32 || fmt.Sprint(head) != fmt.Sprint(want) {
			t.Errorf("header: %v and a nonce of %d", head, len(nonce))
		}
		now := claims["iat"].(float64)
		if age := time.Since(time.Unix(int64(now), 0)); len(claims) != 6 || claims["iss"] != someID || claims["sub"] != someID || claims["aud"] != "127.0.0.1" ||
			claims["exp"] != now+120 || claims["nbf"] != now-120 || age < 0 || age > time.Minute {
			t.Errorf("claims: %v", claims)
		}
	}
}

func decode(t *testing.T, part string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	m := map[string]any{}
	if err = errors.Join(err, json.Unmarshal(b, &m)); err != nil {
		t.Fatal(err)
	}
	return m
}

// endpoint answers requests for tokens.
type endpoint struct {
	status, requests, lifetime int
	body                       string
	err                        error
}

func (e *endpoint) RoundTrip(*http.Request) (*http.Response, error) {
	e.requests++
	body := e.body
	if body == "" {
		body = fmt.Sprintf(`{"access_token":"t%d","expires_in":%d}`, e.requests, e.lifetime)
	}
	if e.err != nil {
		return nil, e.err
	}
	return &http.Response{StatusCode: e.status, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestTokenLife checks when a token is replaced.
func TestTokenLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{status: 200, lifetime: 600}
		tokens := newTokens(credential{clientID: someID, key: someKey()}, "c1.example:443", "x", e, func(error) {})
		expect := func(when, want string) {
			t.Helper()
			if got, err := tokens.get(t.Context()); got != want || (err == nil) != (want != "") {
				t.Errorf("%s: %q, %v", when, got, err)
			}
		}
		expect("at first", "Bearer t1")
		time.Sleep(8 * time.Minute)
		expect("while it is good", "Bearer t1")
		time.Sleep(time.Minute)
		expect("ahead of its end", "Bearer t2")
		tokens.drop("Bearer t1")
		expect("after an old one was rejected", "Bearer t2")
		tokens.drop("Bearer t2")
		expect("after it was rejected", "Bearer t3")
		e.status = 503
		time.Sleep(9*time.Minute + 30*time.Second)
		expect("while there is no new one", "Bearer t3")
		if expect("and again", "Bearer t3"); e.requests != 4 {
			t.Errorf("%d requests: it asks at every call", e.requests)
		}
		time.Sleep(30 * time.Second)
		expect("when it has expired", "")
		e.status = 200
		expect("when there is one again", "Bearer t6")
		e.status, e.lifetime = 401, 15
		time.Sleep(9 * time.Minute)
		expect("when it is refused", "")
	})
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		e       endpoint
		kind    baton.Kind
		refused bool
	}{
		{endpoint{status: 400}, baton.Unauthenticated, true},
		{endpoint{status: 401}, baton.Unauthenticated, true},
		{endpoint{status: 403}, baton.Unauthenticated, true},
		{endpoint{status: 404}, baton.Invalid, true},
		{endpoint{status: 302}, baton.Invalid, true},
		{endpoint{status: 429}, baton.Unavailable, false},
		{endpoint{status: 502}, baton.Unavailable, false},
		{endpoint{status: 200, body: "<html>"}, baton.Unavailable, false},
		{endpoint{status: 200, body: `{"access_token":"a\nb"}`}, baton.Unavailable, false},
		{endpoint{status: 200, err: errors.New("reset")}, baton.Unavailable, false},
	} {
		tokens := newTokens(credential{clientID: someID, key: someKey()}, "c1.example:443", "x", &c.e, func(error) {})
		_, err := tokens.get(t.Context())
		if baton.KindOf(err) != c.kind || errors.Is(err, errRefused) != c.refused || c.refused && baton.FixOf(err) == "" {
			t.Errorf("%d: %v", c.e.status, err)
		}
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, c := range map[string]struct {
		root fstest.MapFS
		want wire.Host
	}{
		"debian in docker": {fstest.MapFS{"etc/os-release": file("# x\nID=debian\nVERSION_ID=\"12\"\n"), "etc/debian_version": file("12.11\n"), ".dockerenv": file("")},
			wire.Host{Platform: "debian", PlatformVersion: "12.11", PlatformFamily: "debian", Virtualization: "docker"}},
		"alpine in kubernetes": {fstest.MapFS{"usr/lib/os-release": file("ID='alpine'\nVERSION_ID=3.20.1"), "proc/self/mountinfo": file("/kubepods/x")},
			wire.Host{Platform: "alpine", PlatformVersion: "3.20.1", PlatformFamily: "alpine", Virtualization: "kubernetes"}},
		"rocky": {fstest.MapFS{"etc/os-release": file("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=9.4")},
			wire.Host{Platform: "rocky", PlatformVersion: "9.4", PlatformFamily: "rhel", Virtualization: "none"}},
		"nothing at all": {fstest.MapFS{}, wire.Host{Platform: "linux", PlatformVersion: "6.1", PlatformFamily: "linux", Virtualization: "none"}},
	} {
		h := wire.Host{OS: "linux", KernelVersion: "6.1"}
		describe(&h, c.root)
		complete(&h)
		got := wire.Host{Platform: h.Platform, PlatformVersion: h.PlatformVersion, PlatformFamily: h.PlatformFamily, Virtualization: h.Virtualization}
		if got != c.want || h.Hostname != "unknown" || h.KernelArch == "" {
			t.Errorf("%s: %+v", name, h)
		}
	}
	long := wire.Host{ID: strings.Repeat("é", 300)}
	if complete(&long); len(long.ID) > 256 || !strings.HasPrefix(strings.Repeat("é", 300), long.ID) {
		t.Errorf("a long text becomes %q", long.ID)
	}
	if h := thisHost("", "1"); h.ID != h.Hostname || h.GoVersion == "" || h.KernelVersion == "" {
		t.Errorf("%+v", h)
	}
}

// TestLedger delivers tasks twice, in every state.
func TestLedger(t *testing.T) {
	t.Parallel()
	l := newLedger()
	expect := func(when, id string, want verdict, code uint32) {
		t.Helper()
		if got, a := l.take(wire.Task{ID: id}); got != want || a.Code != code {
			t.Errorf("%s: %v with %v", when, got, a)
		}
	}
	expect("new", "a", toRun, 0)
	expect("while it runs", "a", toIgnore, 0)
	l.keep("a", wire.Answer{Code: 9, NonRetryable: true})
	expect("while its answer is on the way", "a", toIgnore, 0)
	done := func(when, id string, refused, want bool) {
		t.Helper()
		if got := l.done(id, refused); got != want {
			t.Errorf("%s: it is done: %v", when, got)
		}
	}
	done("delivered again, then refused", "a", true, false)
	done("refused once more", "a", true, true)
	expect("afterwards", "a", toRepeat, 9)
	expect("while the answer is repeated", "a", toIgnore, 0)
	done("delivered again, then accepted", "a", false, true)
	expect("another", "b", toRun, 0)
	l.keep("b", wire.Answer{Code: 14})
	done("refused", "b", true, true)
	expect("when another attempt was requested", "b", toRun, 0)
	for i := range remembered {
		l.keep(fmt.Sprint(i), wire.Answer{})
	}
	if expect("when it is long ago", "a", toRun, 0); len(l.answers) != remembered || len(l.order) != remembered {
		t.Errorf("%d answers are kept, %d in order", len(l.answers), len(l.order))
	}
}

// TestPatience makes changes while the upstream is unavailable.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failures    int
		kind        baton.Kind
		stop        bool
		want        error
		calls       int
		least, most time.Duration
	}{
		"away for a moment": {2, baton.Unavailable, false, nil, 3, 36 * time.Second, 54 * time.Second},
		"away for long":     {9, baton.RateLimited, false, errAway, 4, 72 * time.Second, 108 * time.Second},
		"refused":           {9, baton.Refused, false, errAway, 1, 0, 0},
		"stopped":           {9, baton.Unavailable, true, errStopping, 1, 5 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				soft, stop := context.WithCancel(t.Context())
				s := &service{soft: soft}
				if c.stop {
					time.AfterFunc(5*time.Second, stop)
				}
				defer stop()
				began, calls := time.Now(), 0
				_, err := s.patiently(t.Context(), slog.New(slog.DiscardHandler), func() (baton.Outcome, error) {
					if calls++; calls <= c.failures {
						return baton.Outcome{}, baton.Errorf(c.kind, "%w", errAway)
					}
					return baton.Outcome{}, nil
				})
				if took := time.Since(began); !errors.Is(err, c.want) || calls != c.calls || took < c.least || took > c.most {
					t.Errorf("%v after %d calls and %v", err, calls, took)
				}
			})
		})
	}
}

var errAway = errors.New("away")

// TestSlowAction: an action outlasts the task that started it.
func TestSlowAction(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{"done": nil, "failed": errors.New("it broke")} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{hard: t.Context(), soft: t.Context(), connector: &baton.Connector{Actions: []baton.Action{{Name: "slow", Run: func(ctx context.Context, _ baton.ActionRequest) (baton.Outcome, error) {
				return baton.Outcome{Values: map[string]any{"success": true}}, errors.Join(pause.For(ctx, time.Minute), fails)
			}}}}}
			response, err := s.invoke(t.Context(), wire.ActionTask{Name: "slow"}, slog.New(slog.DiscardHandler))
			id := s.actions.order[0]
			expect := func(when string, got wire.Response, err error, want wire.ActionRun, make func(wire.ActionRun) (wire.Response, error)) {
				t.Helper()
				want.ID, want.Name = id, "slow"
				a, _ := wire.MarshalFinish("h", "t", wire.Answer{Response: got})
				r, _ := make(want)
				if b, _ := wire.MarshalFinish("h", "t", wire.Answer{Response: r}); err != nil || string(a) != string(b) {
					t.Errorf("%s, %s: %q (%v), want %q", name, when, a, err, b)
				}
			}
			expect("started", response, err, wire.ActionRun{State: wire.ActionRunning}, wire.ActionResponse)
			response, err = s.actionStatus(wire.ActionStatusTask{ID: id})
			expect("running", response, err, wire.ActionRun{State: wire.ActionRunning}, wire.ActionStatusResponse)
			s.work.Wait()
			last := wire.ActionRun{State: wire.ActionComplete, Values: map[string]any{"success": true}}
			if fails != nil {
				last = wire.ActionRun{State: wire.ActionFailed, Values: map[string]any{"error": "it broke"}}
			}
			response, err = s.actionStatus(wire.ActionStatusTask{ID: id})
			expect("ended", response, err, last, wire.ActionStatusResponse)
		})
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"it failed":          errors.New("it failed"),
		"it failed. Do this": baton.Errorf(baton.Invalid, "it failed").WithFix("do this"),
		"bad ? text":         errors.New("bad \xff text"),
	} {
		if got := message(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := len(message(errors.New(strings.Repeat("é", 5000)))); n > maxMessage+1 {
		t.Errorf("a message of %d bytes", n)
	}
}

// TestTemporary reads mount tables of pods and containers.
func TestTemporary(t *testing.T) {
	const table = `22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/l
30 22 8:1 /var/lib/kubelet/pods/7a/volumes/kubernetes.io~empty-dir/data /data rw,relatime shared:3 master:1 - ext4 /dev/sda1 rw
31 22 8:17 / /claim rw,relatime - ext4 /dev/sdb rw
32 22 0:40 / /dev/shm rw - tmpfs tmpfs rw
33 22 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/containers/9c/volumes/1f /image rw - ext4 /dev/sda1 rw
34 22 8:33 / /with\040space rw - xfs /dev/sdc rw
35 22 0:41 / /covered rw - tmpfs tmpfs rw
36 22 8:34 / /covered rw - xfs /dev/sdd rw
37 31 0:42 / /claim/fast rw - tmpfs tmpfs rw
broken
`
	pod := fstest.MapFS{"proc/self/mountinfo": {Data: []byte(table)}, "proc/1/cgroup": {Data: []byte("0::/kubepods/pod7a/9c")}}
	host := fstest.MapFS{"proc/self/mountinfo": {Data: []byte(table)}}
	for _, tt := range []struct {
		dir  string
		root fs.FS
		want string
	}{
		{"/data", pod, "emptyDir"}, {"/data/baton-perplexity", pod, "emptyDir"}, {"/claim/baton-perplexity", pod, ""}, {"/claim/fast/x", pod, "in memory"},
		{"/image/x", pod, "image's own"}, {"/dev/shm/x", pod, "in memory"}, {"/tmp/x", pod, "container's own file system"}, {"/database", pod, "container's own file system"},
		{"/with space/x", pod, ""}, {"/covered/x", pod, ""}, {"/tmp/x", host, ""}, {"/data", fstest.MapFS{}, ""},
	} {
		if got := temporary(tt.dir, tt.root); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.dir, got, tt.want)
		}
	}
}

func FuzzTemporary(f *testing.F) {
	f.Add([]byte("22 1 0:21 / / rw,relatime - overlay overlay rw\n30 22 8:1 /a /data rw shared:3 - ext4 /dev/sda1 rw\n"), "/data/x")
	f.Fuzz(func(t *testing.T, table []byte, dir string) {
		if why := temporary(dir, fstest.MapFS{"proc/self/mountinfo": {Data: table}}); strings.Contains(why, "\n") {
			t.Errorf("%q", why)
		}
	})
}

// goodRecord returns a record with all fields set.
func goodRecord() record {
	at := time.Date(2026, 3, 2, 10, 1, 0, 0, time.UTC)
	return record{Version: recordVersion, Connector: "baton-perplexity", Client: "0123456789abcdef", Types: []string{"user"}, Uploaded: at.Add(time.Second),
		Upload: syncer.Upload{SyncID: "2d5H156amZCr4RtkRHTNCLb448Z", Ended: at, Origin: "https://scim.example/v2",
			Rows: []syncer.RowCount{{Type: "user", Resources: 25}}, Floors: []syncer.FloorCount{{Noun: "admins", Count: 2}}}}
}

// TestRecord: a record is read back as it was written, and one that is damaged anywhere is refused.
func TestRecord(t *testing.T) {
	want := goodRecord()
	text, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseRecord(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range text {
		bad := slices.Clone(text)
		bad[i] ^= 4
		if _, err := parseRecord(bad); err == nil {
			t.Errorf("byte %d may be changed: %s", i, bad)
		}
		if _, err := parseRecord(text[:i]); err == nil {
			t.Errorf("it may be cut after %d bytes", i)
		}
	}
	path := filepath.Join(t.TempDir(), "record.json")
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := readRecord(path); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzRecord(f *testing.F) {
	text, err := goodRecord().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("{}\n00000000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Correct the checksum, so that the fields after it are tested.
		line, _, _ := bytes.Cut(text, []byte("\n"))
		r, err := parseRecord(fmt.Appendf(line[:len(line):len(line)], "\n%08x\n", checksum(line)))
		if err != nil {
			return
		}
		again, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseRecord(again); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%s: %+v became %+v, %v", text, r, back, err)
		}
	})
}
