package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	sumsName      = "SHA256SUMS"
	signatureName = "SHA256SUMS.sig"
)

// writeSums writes the sums of all files in a folder, in the format of sha256sum -c.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, sumsName), out.Bytes(), 0o644)
}

// verifySums checks the files of a folder against its sums and, if there is a key, the sums against the
// signature. A file without a sum is an error, too.
func verifySums(dir, publicKey string) (int, error) {
	sums, err := os.ReadFile(filepath.Join(dir, sumsName))
	if err != nil {
		return 0, err
	}
	if publicKey != "" {
		if err := verifySignature(dir, sums, publicKey); err != nil {
			return 0, err
		}
	}
	want := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || filepath.Base(name) != name {
			return 0, fmt.Errorf("%s: %q is not a valid line", sumsName, line)
		}
		want[name] = sum
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	checked := 0
	var bad []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), sumsName) { // including its signatures
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return 0, err
		}
		checked++
		sum, listed := want[e.Name()]
		delete(want, e.Name())
		got := sha256.Sum256(data)
		switch {
		case !listed:
			bad = append(bad, fmt.Errorf("%s is not in %s", e.Name(), sumsName))
		case sum != hex.EncodeToString(got[:]):
			bad = append(bad, fmt.Errorf("%s does not match %s", e.Name(), sumsName))
		}
	}
	for name := range want {
		bad = append(bad, fmt.Errorf("%s is missing", name))
	}
	return checked, errors.Join(bad...)
}

// signSums signs the sums with Ed25519. openssl pkeyutl -verify -rawin verifies the signature.
func signSums(dir, keyFile string) error {
	block, err := readPEM(keyFile, "PRIVATE KEY")
	if err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return fmt.Errorf("%s is not an Ed25519 key", keyFile)
	}
	sums, err := os.ReadFile(filepath.Join(dir, sumsName))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, signatureName), ed25519.Sign(private, sums), 0o644)
}

func verifySignature(dir string, sums []byte, keyFile string) error {
	block, err := readPEM(keyFile, "PUBLIC KEY")
	if err != nil {
		return err
	}
	key, err := x509.ParsePKIXPublicKey(block)
	if err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return fmt.Errorf("%s is not an Ed25519 key", keyFile)
	}
	signature, err := os.ReadFile(filepath.Join(dir, signatureName))
	if err != nil {
		return err
	}
	if !ed25519.Verify(public, sums, signature) {
		return fmt.Errorf("%s was not signed with this key, or was changed afterwards", sumsName)
	}
	return nil
}

func readPEM(name, kind string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no PEM block %s", name, kind)
	}
	return block.Bytes, nil
}
