package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"baton/console/rpc"
)

// serveEither serves on one port and returns its address and a client that trusts it.
func serveEither(t *testing.T, plain bool) (address string, client *http.Client, l *eitherListener) {
	t.Helper()
	cert, authority, err := rpc.NewCertificate(time.Now(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = newEitherListener(tcp, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}, plain)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }), Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	return tcp.Addr().String(), &http.Client{Transport: transport, Timeout: 10 * time.Second}, l
}

func fetch(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestOnePort serves TLS and plain HTTP on one port, with idle connections, and refuses plain HTTP
// with an explanation if it is not allowed.
func TestOnePort(t *testing.T) {
	address, client, _ := serveEither(t, true)
	for range 50 {
		silent, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
	}
	if code, proto := fetch(t, client, "https://"+address); code != 200 || proto != "HTTP/2.0" {
		t.Errorf("TLS: %d %s", code, proto)
	}
	if code, proto := fetch(t, client, "http://"+address); code != 200 || proto != "HTTP/1.1" {
		t.Errorf("plain: %d %s", code, proto)
	}
	address, client, _ = serveEither(t, false)
	if code, _ := fetch(t, client, "https://"+address); code != 200 {
		t.Errorf("TLS: %d", code)
	}
	if code, body := fetch(t, client, "http://"+address); code != 400 || !strings.Contains(body, "https") {
		t.Errorf("plain where it is refused: %d %s", code, body)
	}
}

// TestListenerCloses closes the listener although a connection has sent nothing.
func TestListenerCloses(t *testing.T) {
	address, _, l := serveEither(t, true)
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed := make(chan struct{})
	go func() { l.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("Close waits for a silent connection")
	}
}

// TestShellQuote reads quoted values with a shell.
func TestShellQuote(t *testing.T) {
	for _, value := range []string{"", "plain", "https://127.0.0.1:1/x?y=1&z", "it's", "$HOME `id` \\ \"", "a b\tc", "ü*?[]~#"} {
		var out bytes.Buffer
		cmd := exec.Command("sh", "-c", "V="+shellQuote(value)+"\nprintf %s \"$V\"")
		cmd.Stdout = &out
		if err := cmd.Run(); err != nil {
			t.Skip("no shell here")
		}
		if out.String() != value || shellUnquote(shellQuote(value)) != value {
			t.Errorf("%q is read as %q, and by us as %q", value, out.String(), shellUnquote(shellQuote(value)))
		}
	}
}
