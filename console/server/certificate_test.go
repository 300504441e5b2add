package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baton/console/rpc"
)

// TestRenewedCertificate replaces the files of the certificate while the console serves: the new one
// is used, and a damaged one is not.
func TestRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	c := Config{TLSCert: filepath.Join(dir, "tls.crt"), TLSKey: filepath.Join(dir, "tls.key")}
	renew := func() tls.Certificate {
		cert, _, err := rpc.NewCertificate(time.Now(), "console.example.com")
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{c.TLSCert: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, c.TLSKey: {Type: "PRIVATE KEY", Bytes: key}} {
			if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return cert
	}
	renew()
	first, err := c.readCertificate()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{config: c, log: slog.New(slog.DiscardHandler)}
	s.cert.Store(first)
	if err := s.reloadCertificate(); err != nil || s.cert.Load() != first {
		t.Errorf("the same files are another certificate (%v)", err)
	}
	second := renew()
	if err := s.reloadCertificate(); err != nil || !bytes.Equal(s.cert.Load().Certificate[0], second.Certificate[0]) {
		t.Errorf("the renewed certificate is not used (%v)", err)
	}
	if err := os.WriteFile(c.TLSKey, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.reloadCertificate(); err == nil || !bytes.Equal(s.cert.Load().Certificate[0], second.Certificate[0]) {
		t.Errorf("a damaged key is no error (%v), or replaces the good one", err)
	}
}
