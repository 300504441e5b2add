package rpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"baton"
)

// Local is a Server that listens by itself, over TLS with a certificate of its own.
type Local struct {
	*Server
	CAFile string // what must be trusted to reach it: the path of a PEM file

	address string
	tls     *tls.Config
	mu      sync.Mutex
	http    *http.Server // nil while it is down
}

// Listen starts a server on the address that the config calls Host, a free port of
// 127.0.0.1 if there is none. Close ends it.
func Listen(ctx context.Context, config Config) (*Local, error) {
	if config.Host == "" {
		config.Host = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", config.Host)
	if err != nil {
		return nil, baton.Errorf(baton.Unavailable, "rpc: %w", err)
	}
	config.Host = listener.Addr().String()
	server, err := New(ctx, config)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	certificate, ca, err := NewCertificate(config.Dir, hostname(config.Host))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	l := &Local{Server: server, CAFile: ca, address: config.Host,
		tls: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	l.serve(listener)
	return l, nil
}

// Address is host:port, as in its client ids.
func (l *Local) Address() string { return l.address }

// serve must be called with the lock held, or before anybody else knows l.
func (l *Local) serve(listener net.Listener) {
	l.http = &http.Server{
		Handler:           l.Handler(),
		TLSConfig:         l.tls.Clone(),
		ConnContext:       withConn,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
	go func(s *http.Server) {
		if err := s.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			l.log.Error("listener failed", "error", err)
		}
	}(l.http)
}

// Down closes the listener and every connection: nobody reaches the server until Up.
func (l *Local) Down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.http == nil {
		return nil
	}
	err := l.http.Close()
	l.http = nil
	return err
}

// Up listens again, on the same address.
func (l *Local) Up(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.http != nil {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", l.address)
	if err != nil {
		return baton.Errorf(baton.Unavailable, "rpc: %w", err)
	}
	l.serve(listener)
	return nil
}

// Close ends the server for good.
func (l *Local) Close() error {
	err := l.Down()
	l.Server.Close()
	return err
}

// NewCertificate makes a certificate for the hosts, signed by an authority that is made
// for it and whose key is forgotten. The authority's certificate is written to ca.pem
// in dir, for SSL_CERT_FILE or the like. Both are good for a year.
func NewCertificate(dir string, hosts ...string) (certificate tls.Certificate, caFile string, err error) {
	fail := func(err error) (tls.Certificate, string, error) {
		return tls.Certificate{}, "", baton.Errorf(baton.KindOf(err), "rpc: make a certificate: %w", err)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "baton control plane authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "baton control plane"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, host)
		}
	}
	caBytes, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return fail(err)
	}
	leafBytes, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return fail(err)
	}
	caFile = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caBytes}), 0o600); err != nil {
		return fail(baton.Errorf(baton.Storage, "%w", err))
	}
	return tls.Certificate{Certificate: [][]byte{leafBytes}, PrivateKey: key}, caFile, nil
}
