package config

import (
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// Door lets callers of package govern plan, apply and export configuration files.
type Door struct{ Reader Reader }

// Read checks files.
func (d Door) Read(files []console.ConfigurationFile) (govern.ConfigurationFiles, error) {
	f, err := d.Reader.Read(files)
	if err != nil {
		return nil, err
	}
	ready, err := f.prepare()
	if err != nil {
		return nil, err
	}
	return ready, nil
}

// Export returns the configuration as one file.
func (Door) Export(t *store.Tx) ([]byte, error) { return Export(t) }

// Drift returns how the console differs from the files of a source.
func (Door) Drift(t *store.Tx, source string) ([]console.ConfigurationDifference, error) {
	return Drift(t, source)
}
