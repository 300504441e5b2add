// Package logintest creates password hashes for tests.
package logintest

import (
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/argon2"

	"baton"
)

// Hash returns an Argon2id hash of a password that costs next to nothing. A hash contains its
// parameters, so checking a password against it is cheap too.
func Hash(password baton.Secret) string {
	const memory, time, threads = 8, 1, 1 // memory in KiB
	salt := []byte("the salt of test")
	sum := argon2.IDKey([]byte(password.Reveal()), salt, time, memory, threads, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, time, threads, encode(salt), encode(sum))
}
