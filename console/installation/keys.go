package installation

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/internal/disk"
)

// maxKeys limits the size of a key file, in bytes.
const maxKeys = 64 << 10

// openKeys reads the key file, or creates it if allowed.
func (in *Installation) openKeys(create bool) (*store.Keyring, error) {
	if _, err := os.Stat(in.keys); errors.Is(err, fs.ErrNotExist) && create {
		if err := writeKeys(in.keys, []key{newKey(in)}); err != nil {
			return nil, err
		}
	}
	return store.LoadKeyring(func() (string, map[string][]byte, error) {
		keys, err := readKeys(in.keys)
		if err != nil {
			return "", nil, keyError(in.keys, err)
		}
		return keys[0].name, byName(keys), nil
	})
}

func keyError(path string, err error) error {
	var known *baton.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return baton.Errorf(baton.NotFound, "the key file %s does not exist", path).
			WithFix("Put the installation's key file there, or name it with --keys. Without it, secrets cannot be opened.")
	}
	return baton.Errorf(baton.Storage, "read the keys: %w", err).WithFix("Let this user read %s.", path)
}

// key is one line of the key file: a name, a space, 32 bytes in base64. The first key seals; the
// others only open.
type key struct {
	name  string
	value []byte
}

// newKey returns a new key, named after the current time.
func newKey(in *Installation) key { return key{string(console.NewID(in.Now())), store.NewKey()} }

func byName(keys []key) map[string][]byte {
	m := map[string][]byte{}
	for _, k := range keys {
		m[k.name] = k.value
	}
	return m
}

func readKeys(path string) ([]key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var keys []key
	lines := bufio.NewScanner(io.LimitReader(f, maxKeys))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		damaged := baton.Errorf(baton.Corrupt, "%s line %d is no key", path, n).WithFix("Restore the key file from a backup of it.")
		if len(fields) != 2 {
			return nil, damaged
		}
		value, err := base64.StdEncoding.DecodeString(fields[1])
		if err != nil || len(value) != store.KeySize {
			return nil, damaged
		}
		keys = append(keys, key{fields[0], value})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, baton.Errorf(baton.Corrupt, "%s holds no key", path).WithFix("Restore the key file from a backup of it.")
	}
	return keys, nil
}

func writeKeys(path string, keys []key) error {
	_, err := disk.Replace(disk.OS{}, path, func(w io.Writer) error {
		fmt.Fprintln(w, "# Keys of a Baton console. Keep a copy apart from the backups of its database.")
		for _, k := range keys {
			if _, err := fmt.Fprintf(w, "%s %s\n", k.name, base64.StdEncoding.EncodeToString(k.value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return baton.Errorf(baton.Storage, "write the keys: %w", err)
	}
	return nil
}
