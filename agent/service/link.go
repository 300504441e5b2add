package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton"
	"baton/wire"
)

const (
	methods     = "/c1.connectorapi.baton.v1.BatonService/"
	callTimeout = 30 * time.Second
	// pollTimeout is longer: a server may hold a poll back until there is work.
	pollTimeout = 2 * time.Minute
	// pingEvery is above the 5 minutes that servers tolerate by default. What keeps a
	// dead peer from being waited for is the time limit on unacknowledged data that
	// comes with it, which is pingTimeout.
	pingEvery   = 6 * time.Minute
	pingTimeout = 20 * time.Second
	maxAnswer   = 16 << 20
)

// network is how hosts are reached.
type network struct {
	roots *x509.CertPool // nil for the system's
	// dial replaces the usual way, with its proxies, when it is not nil.
	dial func(ctx context.Context, addr string) (net.Conn, error)
}

func (n network) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.roots}
}

func (n network) transport() *http.Transport {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     n.tls(),
		TLSHandshakeTimeout: 15 * time.Second,
		IdleConnTimeout:     45 * time.Second,
		ForceAttemptHTTP2:   true,
	}
	if n.dial != nil {
		t.Proxy, t.DialContext = nil, func(ctx context.Context, _, addr string) (net.Conn, error) { return n.dial(ctx, addr) }
	}
	return t
}

// checkProxy refuses a proxy that the gRPC library would speak plain HTTP to although it is of another kind.
func (n network) checkProxy(host string) error {
	if n.dial != nil {
		return nil
	}
	via, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: host}})
	if err != nil || via == nil || via.Scheme == "http" {
		return nil // what cannot be parsed was refused before
	}
	return baton.Errorf(baton.Invalid, "HTTPS_PROXY names a proxy by %s://, and ConductorOne is reached through http:// proxies only", via.Scheme).
		WithFix("name an http:// proxy, or add %s to NO_PROXY", host)
}

// link is the way to C1: one connection, and the token that every call carries.
type link struct {
	conn      *grpc.ClientConn
	transport *http.Transport
	tokens    *tokens
}

// newLink makes a link; it sends nothing. Product is the user agent's "name/version".
func newLink(creds credential, apiHost, product string, n network, onToken func(error)) (*link, error) {
	host := creds.host
	if apiHost != "" {
		if !validHost(apiHost) {
			return nil, baton.Errorf(baton.Invalid, "%q is not a host of ConductorOne's", apiHost).WithFix("write it as host or host:port")
		}
		host = apiHost
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "443")
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(n.tls())),
		grpc.WithUserAgent(creds.name + " " + product),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithDisableServiceConfig(),
	}
	target := "dns:///" + host
	if err := n.checkProxy(host); err != nil {
		return nil, err
	}
	if n.dial != nil {
		target = "passthrough:///" + host
		options = append(options, grpc.WithContextDialer(n.dial))
	}
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "connect to %s: %w", host, err)
	}
	transport := n.transport()
	return &link{conn: conn, transport: transport,
		tokens: newTokens(creds, host, "baton-c1-credential-provider "+product, transport, onToken)}, nil
}

func (l *link) close() error {
	l.transport.CloseIdleConnections()
	return l.conn.Close()
}

// call makes one call. A token that is rejected is dropped, and the call made once
// more with a new one.
func (l *link) call(ctx context.Context, method string, request []byte) ([]byte, error) {
	timeout := callTimeout
	if strings.HasPrefix(method, "GetTask") {
		timeout = pollTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for again := false; ; again = true {
		header, err := l.tokens.get(ctx)
		if err != nil {
			return nil, err
		}
		var answer []byte
		err = l.conn.Invoke(metadata.AppendToOutgoingContext(ctx, "authorization", header), methods+method, request, &answer)
		if status.Code(err) == codes.Unauthenticated {
			l.tokens.drop(header)
			if !again {
				continue
			}
		}
		return answer, failed(method, err)
	}
}

// failed classifies a call's error; the code stays available to code.
func failed(method string, err error) error {
	var classified *baton.Error
	if err == nil || errors.As(err, &classified) {
		return err
	}
	s, _ := status.FromError(err)
	return &baton.Error{Kind: wire.KindOfCode(uint32(s.Code())), Err: &callError{method: method, code: s.Code(), text: s.Message()}}
}

// callError is what C1, or the way to it, said to a call.
type callError struct {
	method string
	code   codes.Code
	text   string
}

func (e *callError) Error() string {
	return fmt.Sprintf("%s: %s (%s)", e.method, strings.ToValidUTF8(e.text, "?"), e.code)
}

// code is the gRPC code of a call's error, Unavailable when there was no call
// because there was no token.
func code(err error) codes.Code {
	var e *callError
	switch {
	case err == nil:
		return codes.OK
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, errRefused):
		return codes.Unauthenticated
	}
	return codes.Unavailable
}

// rawCodec hands bytes through: wire has made them, and wire reads them.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a %T is not bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a %T takes no bytes", v)
	}
	*b = data.Materialize()
	return nil
}

// Name is empty so that the content type is what every peer understands.
func (rawCodec) Name() string { return "" }
