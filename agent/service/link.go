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
	// pollTimeout is longer, because a server may delay the answer until there is work.
	pollTimeout = 2 * time.Minute
	// pingEvery is above the 5 minutes that servers tolerate by default. A dead peer is
	// detected by pingTimeout, which also limits the time for unacknowledged data.
	pingEvery   = 6 * time.Minute
	pingTimeout = 20 * time.Second
	maxAnswer   = 16 << 20
)

// network holds the settings of connections.
type network struct {
	roots *x509.CertPool // nil for those of the system
	// dial replaces the usual dialer, and proxies, if it is not nil.
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

// checkProxy refuses a proxy of another kind than HTTP, to which the gRPC library would
// send plain HTTP.
func (n network) checkProxy(host string) error {
	if n.dial != nil {
		return nil
	}
	via, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: host}})
	if err != nil || via == nil || via.Scheme == "http" {
		return nil // an address that cannot be parsed is refused elsewhere
	}
	return baton.Errorf(baton.Invalid, "HTTPS_PROXY has the scheme %s://, but ConductorOne can be reached through http:// proxies only", via.Scheme).
		WithFix("name an http:// proxy, or add %s to NO_PROXY", host)
}

// link is the connection to C1 and the access tokens for its calls.
type link struct {
	conn      *grpc.ClientConn
	transport *http.Transport
	tokens    *tokens
}

// newLink returns a link and sends nothing. product is the "name/version" of the user agent.
func newLink(creds credential, apiHost, product string, n network, onToken func(error)) (*link, error) {
	host := creds.host
	if apiHost != "" {
		if !validHost(apiHost) {
			return nil, baton.Errorf(baton.Invalid, "%q is not a host name", apiHost).WithFix("write it as host or host:port")
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

// call makes one call. If the token is rejected, it repeats the call once with a new one.
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

// failed classifies the error of a call. [code] still returns its gRPC code.
func failed(method string, err error) error {
	var classified *baton.Error
	if err == nil || errors.As(err, &classified) {
		return err
	}
	s, _ := status.FromError(err)
	return &baton.Error{Kind: wire.KindOfCode(uint32(s.Code())), Err: &callError{method: method, code: s.Code(), text: s.Message()}}
}

// callError is an error that C1 or the network returned for a call.
type callError struct {
	method string
	code   codes.Code
	text   string
}

func (e *callError) Error() string {
	return fmt.Sprintf("%s: %s (%s)", e.method, strings.ToValidUTF8(e.text, "?"), e.code)
}

// code returns the gRPC code of the error of a call. It is Unavailable if there was no
// token for the call.
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

// rawCodec passes bytes through. Package wire encodes and decodes them.
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

// Name is empty, so that the content type is the one that every peer accepts.
func (rawCodec) Name() string { return "" }
