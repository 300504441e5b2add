package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"baton"
	"baton/console/rpc"
	"baton/internal/disk"
)

// renewBefore is the remaining lifetime at which a self-signed certificate is replaced.
const renewBefore = 30 * 24 * time.Hour

// certificate returns the TLS certificate, and the file with the authorities that connectors need;
// "" if the system's are enough or TLS is off.
func (c Config) certificate(dir string, hosts []string, selfSigned bool) (*tls.Certificate, string, error) {
	if c.TLSCert != "" {
		cert, err := c.readCertificate()
		if err != nil {
			return nil, "", err
		}
		intermediates := x509.NewCertPool()
		for _, der := range cert.Certificate[1:] {
			if i, err := x509.ParseCertificate(der); err == nil {
				intermediates.AddCert(i)
			}
		}
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Intermediates: intermediates, CurrentTime: c.Now()}); err == nil {
			return cert, "", nil
		}
		path, err := filepath.Abs(c.TLSCert)
		return cert, path, err
	}
	if !selfSigned {
		return nil, "", nil
	}
	dir = filepath.Join(dir, "tls")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, "", baton.Errorf(baton.Storage, "make the folder %s: %w", dir, err)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	authority, err := filepath.Abs(file("authority.pem"))
	if err != nil {
		return nil, "", baton.Errorf(baton.Internal, "%w", err)
	}
	if cert, err := tls.LoadX509KeyPair(file("certificate.pem"), file("key.pem")); err == nil && good(cert, hosts, authority, c.Now()) {
		return &cert, authority, nil
	}
	cert, ca, err := rpc.NewCertificate(c.Now(), hosts...)
	if err != nil {
		return nil, "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, "", baton.Errorf(baton.Internal, "encode a key: %w", err)
	}
	for name, text := range map[string][]byte{
		"authority.pem":   ca,
		"certificate.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		"key.pem":         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		_, err := disk.Replace(disk.OS{}, file(name), func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
		if err != nil {
			return nil, "", err
		}
	}
	return &cert, authority, nil
}

// readCertificate reads the certificate and its key from the configured files.
func (c Config) readCertificate() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "the certificate %s with the key %s: %w", c.TLSCert, c.TLSKey, err).
			WithFix("Name a certificate chain and its key, both as PEM, with --tls-cert and --tls-key.")
	}
	return &cert, nil
}

// reloadCertificate takes over the certificate of the configured files if it was renewed.
func (s *Server) reloadCertificate() error {
	if s.config.TLSCert == "" {
		return nil
	}
	cert, err := s.config.readCertificate()
	if err != nil {
		return err
	}
	if !slices.EqualFunc(cert.Certificate, s.cert.Load().Certificate, bytes.Equal) {
		s.cert.Store(cert)
		s.log.Info("the certificate was renewed", "not_after", cert.Leaf.NotAfter)
	}
	return nil
}

// good reports whether a certificate is valid for all hosts and its authority exists.
func good(cert tls.Certificate, hosts []string, authority string, now time.Time) bool {
	text, err := os.ReadFile(authority)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		return false
	}
	for _, host := range hosts {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: now}); err != nil {
			return false
		}
	}
	return now.Add(renewBefore).Before(cert.Leaf.NotAfter)
}
