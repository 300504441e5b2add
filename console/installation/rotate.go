package installation

import "context"

// AddKey adds a new current key to the key file. Old keys stay, because backups need them. A serving
// console loads the new key by itself.
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

// Reseal seals every secret with the current key while others work. Replicas with key files of their
// own must have the key first.
func (in *Installation) Reseal(ctx context.Context) (changed int, err error) {
	return in.Store.RotateKeys(ctx, in.by())
}
