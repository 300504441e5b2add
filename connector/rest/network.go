package rest

import (
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"

	"baton"
)

// failure describes why an attempt failed and whether another may follow.
type failure struct {
	kind   baton.Kind
	err    error
	fix    string
	status int
	retry  retryWhen
	ask    ask  // the wait that the upstream requests
	slow   bool // the response, or the rest of it, timed out
}

// ErrSlow is in the chain of the error for a response that timed out, here or in a gateway.
var ErrSlow = errors.New("no complete answer in time")

// slowError marks an error as ErrSlow.
type slowError struct{ err error }

func (e *slowError) Error() string        { return e.err.Error() }
func (e *slowError) Unwrap() error        { return e.err }
func (e *slowError) Is(target error) bool { return target == ErrSlow }

type retryWhen int

const (
	retryNo     retryWhen = iota
	retryIfSafe           // the upstream may have acted on the request
	retryAlways           // the upstream has certainly not acted on it
)

// networkFailure classifies an error of the transport. Every error that is not known to be permanent counts
// as temporary, whatever the operating system calls it.
func (c *Client) networkFailure(err error) *failure {
	f := &failure{kind: baton.Unavailable, err: err, retry: retryIfSafe}
	var (
		op        *net.OpError
		dns       *net.DNSError
		proxy     *proxyError
		authority x509.UnknownAuthorityError
		cert      *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		content   *contentError
		refused   *addressError
	)
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		f.retry = retryAlways
		f.fix = "check that the upstream runs, and the host and port of the URL"
	}
	var late net.Error
	f.slow = f.retry == retryIfSafe && errors.As(err, &late) && late.Timeout()
	throughProxy := op != nil && op.Op == "proxyconnect"
	permanent := func(fix string) { f.kind, f.fix, f.retry = baton.Invalid, fix, retryNo }
	switch {
	case errors.As(err, &refused):
		permanent(baton.FixOf(refused.err))
		f.kind = baton.PermissionDenied
	case errors.As(err, &content):
		permanent(content.fix)
	case errors.Is(err, gzip.ErrHeader):
		f.err = errors.New("the answer is labelled gzip but is not gzip")
	case errors.As(err, &proxy):
		if proxy.status == http.StatusProxyAuthRequired {
			_, fix := kindOfStatus(proxy.status)
			permanent(fix)
		} else if proxy.status < 500 && proxy.status != http.StatusTooManyRequests {
			permanent("check HTTPS_PROXY and NO_PROXY, and whether the proxy allows this host")
		}
	case errors.As(err, &dns):
		f.retry = retryAlways
		// A host name that was resolved before cannot be misspelt.
		if dns.IsNotFound && throughProxy {
			permanent("check HTTPS_PROXY: the proxy's host name does not exist")
		} else if dns.IsNotFound && !c.answered.Load() {
			permanent("check the URL: its host name does not exist")
		}
	case errors.As(err, &authority):
		permanent("if the upstream or a proxy on the way uses a private certificate authority, pass its PEM file with --ca-file")
	case errors.As(err, &cert):
		permanent("check the URL and the clock; the certificate presented does not fit")
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		permanent("check the URL: that port does not speak https")
	case op != nil && op.Op == "remote error": // a TLS alert
		permanent("check the URL; the upstream refuses the TLS handshake (version 1.2 or newer is required)")
	}
	return f
}

// sanitised hides the secret in an error's text. It keeps the chain only if there was nothing to hide.
func (c *Client) sanitised(err error) error {
	text := err.Error()
	clean := oneLine(c.redact.Replace(text), 2*maxDetail)
	if clean == text {
		return err
	}
	return errors.New(clean)
}
