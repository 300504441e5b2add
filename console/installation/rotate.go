package installation

import "context"

// AddKey adds a new key to the key file, with which secrets are sealed from now on. Old keys
// stay in the file: backups were sealed with them. A console that serves finds the new key
// by itself.
func (in *Installation) AddKey() (name string, err error) {
	keys, err := readKeys(in.keys)
	if err != nil {
		return "", keyError(in.keys, err)
	}
	fresh := newKey(in)
	if err := writeKeys(in.keys, append([]key{fresh}, keys...)); err != nil {
		return "", err
	}
	return fresh.name, in.Store.ReloadKeys()
}

// Reseal seals every secret with the current key, while others work. Replicas with a key
// file of their own must have the key before.
func (in *Installation) Reseal(ctx context.Context) (changed int, err error) {
	return in.Store.RotateKeys(ctx, in.by())
}
