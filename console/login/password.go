package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"baton"
)

// MinPassword is the minimum length of passwords, in characters. NIST SP 800-63B-4, section 3.1.1.2,
// requires 8 for a password with a second factor.
const MinPassword = 12

// maxPassword limits passwords, in bytes, and so the work for one attempt.
const maxPassword = 1024

// The cost of a hash: OWASP's minimum for Argon2id. A hash contains its parameters, so that they can
// be raised later.
const (
	hashMemory  = 19 * 1024 // KiB
	hashTime    = 2
	hashThreads = 1
	hashSize    = 32
	saltSize    = 16
)

// hashing limits the concurrent hashes, and so the memory that unauthenticated clients can make a
// console use.
var hashing = make(chan struct{}, 2)

// HashPassword returns the Argon2id hash of a password in the PHC string format. Invalid if the
// password is too short, too long or not UTF-8.
func HashPassword(password baton.Secret) (string, error) {
	p := password.Reveal()
	switch n := utf8.RuneCountInString(p); {
	case !utf8.ValidString(p) || len(p) > maxPassword:
		return "", baton.Errorf(baton.Invalid, "the password is no text, or longer than %d bytes", maxPassword)
	case n < MinPassword:
		return "", baton.Errorf(baton.Invalid, "the password has %d characters", n).WithFix("Choose one of at least %d characters.", MinPassword)
	}
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	sum := hash(p, salt, hashTime, hashMemory, hashThreads, hashSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads, encode(salt), encode(sum)), nil
}

// hashes counts the hashes that this process computed.
var hashes atomic.Int64

// Hashes returns how many hashes this process computed: what a login costs it.
func Hashes() int64 { return hashes.Load() }

func hash(password string, salt []byte, time, memory uint32, threads uint8, size uint32) []byte {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	hashes.Add(1)
	return argon2.IDKey([]byte(password), salt, time, memory, threads, size)
}

// decoy is compared if there is no hash, so that the answer takes as long.
var decoy = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads,
	encode(make([]byte, saltSize)), encode(make([]byte, hashSize)))

// CheckPassword reports whether a password matches a hash. An empty hash matches no password, and
// takes as long.
func CheckPassword(hashed string, password baton.Secret) bool {
	if len(password.Reveal()) > maxPassword {
		return false
	}
	if hashed == "" {
		matches(decoy, password)
		return false
	}
	return matches(hashed, password)
}

func matches(hashed string, password baton.Secret) bool {
	parts := strings.Split(hashed, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false
	}
	var version int
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 || len(want) > 64 || memory > 1<<20 || time < 1 || time > 16 || threads < 1 {
		return false
	}
	return subtle.ConstantTimeCompare(want, hash(password.Reveal(), salt, time, memory, threads, uint32(len(want)))) == 1
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }
