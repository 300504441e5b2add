package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"slices"
	"sync"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Keyring holds the keys that seal secrets. They are kept outside the database. New values are
// sealed with the current key; the other keys only open existing values. It is safe for concurrent
// use.
type Keyring struct {
	mu   sync.RWMutex
	ring ring
	load func() (current string, keys map[string][]byte, err error)
}

type ring struct {
	current string
	keys    map[string]cipher.AEAD
}

// KeySize is the length of a key in bytes.
const KeySize = 32

// NewKeyring returns a keyring. A key's name is stored with every value that it sealed.
func NewKeyring(current string, keys map[string][]byte) (*Keyring, error) {
	k := &Keyring{}
	return k, k.set(current, keys)
}

// LoadKeyring returns a keyring with the keys that load returns. It loads them again when it meets
// an unknown key, and on [Keyring.Reload], because another process may have added one.
func LoadKeyring(load func() (current string, keys map[string][]byte, err error)) (*Keyring, error) {
	k := &Keyring{load: load}
	return k, k.Reload()
}

// Reload loads the keys again. After an error the keyring is unchanged.
func (k *Keyring) Reload() error {
	if k.load == nil {
		return nil
	}
	current, keys, err := k.load()
	if err != nil {
		return err
	}
	return k.set(current, keys)
}

func (k *Keyring) set(current string, keys map[string][]byte) error {
	r := ring{current, map[string]cipher.AEAD{}}
	for name, key := range keys {
		if name == "" || len(key) != KeySize {
			return baton.Errorf(baton.Invalid, "key %q has %d bytes, and must have a name and %d bytes", name, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return baton.Errorf(baton.Internal, "key %q: %w", name, err)
		}
		if r.keys[name], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return baton.Errorf(baton.Internal, "key %q: %w", name, err)
		}
	}
	if r.keys[current] == nil {
		return baton.Errorf(baton.Invalid, "the current key %q is not among the keys", current)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring = r
	return nil
}

// now returns the current keys. A nil keyring has none.
func (k *Keyring) now() ring {
	if k == nil {
		return ring{}
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring
}

// key returns a key by name, after loading the keys again if necessary; nil if there is none.
func (k *Keyring) key(name string) cipher.AEAD {
	if aead := k.now().keys[name]; aead != nil {
		return aead
	}
	if k.Reload() != nil {
		return nil
	}
	return k.now().keys[name]
}

// NewKey returns a new random key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key) // never fails
	return key
}

// binding ties a sealed value to its owner, name and key, so that it cannot be moved to another row.
func binding(owner, name, key string) []byte {
	return []byte("baton console secret 1\x00" + owner + "\x00" + name + "\x00" + key)
}

func (k *Keyring) seal(owner, name string, value []byte) (key string, sealed []byte, err error) {
	if k == nil {
		return "", nil, errNoKeys
	}
	r := k.now()
	return r.current, r.keys[r.current].Seal(nil, nil, value, binding(owner, name, r.current)), nil
}

func (k *Keyring) open(owner, name, key string, sealed []byte) ([]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	aead := k.key(key)
	if aead == nil {
		return nil, baton.Errorf(baton.Refused, "secret %s of %s is sealed with key %q, which this process does not have", name, owner, key).
			WithFix("Give it every key that is in use, and the same to every replica.")
	}
	value, err := aead.Open(nil, nil, sealed, binding(owner, name, key))
	if err != nil {
		return nil, baton.Errorf(baton.Corrupt, "secret %s of %s cannot be opened with key %q: the key is another one, or the value was altered", name, owner, key)
	}
	return value, nil
}

var errNoKeys = baton.Errorf(baton.Refused, "this process has no key for secrets").WithFix("Configure the key file.")

// SetSecret seals a value under an owner, for example a connector, and a name.
func (t *Tx) SetSecret(owner, name string, value baton.Secret) error {
	if err := t.writeSecret(owner, name, []byte(value.Reveal())); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "secret.set", Object: owner}, map[string]any{"name": name, "key": t.s.keys.now().current})
}

func (t *Tx) writeSecret(owner, name string, value []byte) error {
	key, sealed, err := t.s.keys.seal(owner, name, value)
	if err != nil {
		return err
	}
	_, err = t.e.Exec(`INSERT INTO secret (owner, name, key_name, sealed, changed) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (owner, name) DO UPDATE SET key_name = excluded.key_name, sealed = excluded.sealed, changed = excluded.changed`,
		owner, name, key, sealed, t.by.At)
	return err
}

type sealed struct {
	owner, name, key string
	value            []byte
}

func scanSecret(r engine.Row) sealed { return sealed{r.Text(0), r.Text(1), r.Text(2), r.Bytes(3)} }

// Secret opens a secret. NotFound if it was never set.
func (t *Tx) Secret(owner, name string) (baton.Secret, error) {
	s, err := get(t, scanSecret, "secret "+name+" of "+owner, "SELECT owner, name, key_name, sealed FROM secret WHERE owner = $1 AND name = $2", owner, name)
	if err != nil {
		return baton.Secret{}, err
	}
	value, err := t.s.keys.open(owner, name, s.key, s.value)
	return baton.NewSecret(string(value)), err
}

// SecretNames returns the names of an owner's secrets.
func (t *Tx) SecretNames(owner string) ([]string, error) {
	return list(t, func(r engine.Row) string { return r.Text(0) }, "SELECT name FROM secret WHERE owner = $1 ORDER BY name", owner)
}

// RemoveSecret removes a secret. It does nothing if there is none.
func (t *Tx) RemoveSecret(owner, name string) error {
	n, err := t.e.Exec("DELETE FROM secret WHERE owner = $1 AND name = $2", owner, name)
	if err != nil || n == 0 {
		return err
	}
	return t.event(console.Event{Kind: "secret.removed", Object: owner}, map[string]any{"name": name})
}

// probeOwner and probeName identify the value with which processes check that they have the right
// keys.
const probeOwner, probeName = "console", "key-probe"

// ProveKeys checks that this process can open what other processes sealed, and the other way round.
// Every process calls it at its start. In a new database it seals the probe with the current key.
func (s *Store) ProveKeys(ctx context.Context, by console.By) error {
	return s.Update(ctx, by, func(t *Tx) error {
		probe, err := find(t, scanSecret, "SELECT owner, name, key_name, sealed FROM secret WHERE owner = $1 AND name = $2", probeOwner, probeName)
		if err != nil {
			return err
		}
		if probe == nil {
			return t.writeSecret(probeOwner, probeName, []byte("baton"))
		}
		if _, err := s.keys.open(probeOwner, probeName, probe.key, probe.value); err != nil {
			return err
		}
		names, err := list(t, func(r engine.Row) string { return r.Text(0) }, "SELECT DISTINCT key_name FROM secret ORDER BY key_name")
		if err != nil {
			return err
		}
		for _, name := range names {
			if s.keys.key(name) == nil {
				return baton.Errorf(baton.Refused, "some secrets are sealed with key %q, which this process does not have", name).
					WithFix("Give it every key that is in use, and the same to every replica.")
			}
		}
		return nil
	})
}

const resealBatch = 100

// RotateKeys seals every secret with the current key again, in small transactions, and returns how
// many it changed. Secrets that other processes change meanwhile are sealed with their current key,
// so rotate again when every replica has the new key.
func (s *Store) RotateKeys(ctx context.Context, by console.By) (changed int, err error) {
	if s.keys == nil {
		return 0, errNoKeys
	}
	current := s.keys.now().current
	for {
		n := 0
		err := s.Update(ctx, by, func(t *Tx) error {
			old, err := list(t, scanSecret, "SELECT owner, name, key_name, sealed FROM secret WHERE key_name <> $1 ORDER BY owner, name LIMIT $2 FOR UPDATE", current, resealBatch)
			if err != nil {
				return err
			}
			n = len(old)
			var from []string
			for _, o := range old {
				value, err := s.keys.open(o.owner, o.name, o.key, o.value)
				if err != nil {
					return err
				}
				if err := t.writeSecret(o.owner, o.name, value); err != nil {
					return err
				}
				if !slices.Contains(from, o.key) {
					from = append(from, o.key)
				}
			}
			if n == 0 {
				return nil
			}
			return t.event(console.Event{Kind: "keys.rotated"}, map[string]any{"secrets": n, "from": from, "to": current})
		})
		changed += n
		if err != nil || n == 0 {
			return changed, err
		}
	}
}

// ReloadKeys loads the sealing keys again, if the keyring has a source.
func (s *Store) ReloadKeys() error {
	if s.keys == nil {
		return nil
	}
	return s.keys.Reload()
}
