package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"baton"
)

const (
	dialTimeout         = 30 * time.Second
	tlsTimeout          = 15 * time.Second
	headerTimeout       = 2 * time.Minute  // servers compute large lists before the first byte
	idleTimeout         = 45 * time.Second // below the 60 s after which proxies commonly drop a connection
	maxHeaderBytes      = 1 << 20
	maxIdleConnsPerHost = 8
	readBufferSize      = 64 << 10 // a large answer in few system calls
)

// newTransport returns a transport for one origin and the proxy on the way to it, if any. The proxy is
// resolved here, once: there is only one host, and a wrong setting should fail at the start.
func newTransport(base *url.URL, caFile string, timeout time.Duration, allow func(netip.Addr) error) (http.RoundTripper, string, error) {
	var via *url.URL
	var err error
	if allow == nil {
		via, err = http.ProxyFromEnvironment(&http.Request{URL: base})
	}
	if err != nil {
		// The original error repeats the address with its password.
		return nil, "", baton.Errorf(baton.Invalid, "the proxy address in the environment cannot be used").
			WithFix("correct HTTPS_PROXY; it looks like http://host:port")
	}
	roots, err := LoadRoots(caFile)
	if err != nil {
		return nil, "", err
	}
	proxy := ""
	if via != nil {
		proxy = via.Scheme + "://" + via.Host
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyURL(via),
		OnProxyConnectResponse: checkConnect,
		DialContext:            Dialer(allow).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  min(headerTimeout, timeout),
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ReadBufferSize:         readBufferSize,
		Protocols:              protocols,
	}, proxy, nil
}

// LoadRoots returns the certificate authorities of the system and of a PEM file. Without a file it returns
// nil, which means those of the system.
func LoadRoots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "read CA file: %w", err).WithFix("point --ca-file to a readable PEM file")
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // no system pool, as in an empty image
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, baton.Errorf(baton.Invalid, "CA file %s holds no certificate", caFile).
			WithFix("point --ca-file to a PEM file with at least one CERTIFICATE block")
	}
	return roots, nil
}

// proxyError is a proxy's refusal to open a tunnel.
type proxyError struct {
	proxy  string
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("proxy %s refuses the connection: %s", e.proxy, statusText(e.status))
}

func checkConnect(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode/100 == 2 {
		return nil
	}
	return &proxyError{proxy: proxy.Host, status: answer.StatusCode}
}
