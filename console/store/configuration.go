package store

import (
	"cmp"

	"baton/console"
	"baton/console/store/internal/engine"
)

// ConfigurationSources returns the sets of configuration files that were applied, by name.
func (t *Tx) ConfigurationSources() ([]console.ConfigurationSource, error) {
	return list(t, scanConfigurationSource, "SELECT "+configurationSourceColumns+" FROM configuration_source ORDER BY name")
}

// ConfigurationSource returns a set of configuration files that was applied; nil if none with the name
// was.
func (t *Tx) ConfigurationSource(name string) (*console.ConfigurationSource, error) {
	return find(t, scanConfigurationSource, "SELECT "+configurationSourceColumns+" FROM configuration_source WHERE name = $1", name)
}

const configurationSourceColumns = "name, applied, actor, client, digest, objects"

func scanConfigurationSource(r engine.Row) console.ConfigurationSource {
	return console.ConfigurationSource{Name: r.Text(0), Applied: at(r, 1), By: decodeActor(r.Bytes(2)), Client: console.ID(r.Text(3)), Digest: r.Text(4), Objects: int(r.Int(5))}
}

// ManagedObjects returns up to n objects that the files of a source describe, after a kind and an ID.
func (t *Tx) ManagedObjects(source string, after console.ConfiguredObject, n int) ([]console.ManagedObject, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanManagedObject, "SELECT "+managedObjectColumns+` FROM configuration_object WHERE source = $1 AND (kind, object) > ($2, $3)
		ORDER BY kind, object LIMIT $4`, source, after.Kind, after.ID, n)
}

const managedObjectColumns = "kind, object, name, place, described, former, key"

func scanManagedObject(r engine.Row) console.ManagedObject {
	return console.ManagedObject{ConfiguredObject: console.ConfiguredObject{Kind: console.ConfigurationKind(r.Text(0)), ID: r.Text(1), Name: str(r, 2)},
		Place: str(r, 3), Described: append([]byte(nil), r.Bytes(4)...), Former: r.Bool(5), Key: r.Text(6)}
}

// ManagedBy returns the name of the source whose newest files describe an object; "" if none do.
func (t *Tx) ManagedBy(kind console.ConfigurationKind, object string) (string, error) {
	return t.configured("SELECT source FROM configuration_object WHERE kind = $1 AND object = $2 AND NOT former ORDER BY source LIMIT 1", kind, object)
}

// KeyedObject returns the ID of the object that files describe with a key; "" if there is none. Those of
// the source come first.
func (t *Tx) KeyedObject(source string, kind console.ConfigurationKind, key string) (string, error) {
	return t.configured("SELECT object FROM configuration_object WHERE kind = $1 AND key = $2 ORDER BY CASE WHEN source = $3 THEN 0 ELSE 1 END, source LIMIT 1", kind, key, source)
}

// KeyOf returns the key that files give an object; "" if none do.
func (t *Tx) KeyOf(kind console.ConfigurationKind, object string) (string, error) {
	return t.configured("SELECT key FROM configuration_object WHERE kind = $1 AND object = $2 AND key <> '' ORDER BY source LIMIT 1", kind, object)
}

// configured returns one text; "" if there is none.
func (t *Tx) configured(sql string, args ...any) (string, error) {
	text, err := find(t, func(r engine.Row) string { return r.Text(0) }, sql, args...)
	if err != nil || text == nil {
		return "", err
	}
	return *text, nil
}

// SetConfiguration records what the newest files of a source describe, in place of what they described
// before. data says more in its event.
func (t *Tx) SetConfiguration(s console.ConfigurationSource, objects []console.ManagedObject, data map[string]any) error {
	if _, err := t.e.Exec(`INSERT INTO configuration_source (`+configurationSourceColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name) DO UPDATE SET applied = excluded.applied, actor = excluded.actor, client = excluded.client, digest = excluded.digest, objects = excluded.objects`,
		s.Name, t.by.At, encodeActor(t.by.Actor), string(t.by.Client), s.Digest, s.Objects); err != nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM configuration_object WHERE source = $1", s.Name); err != nil {
		return err
	}
	for _, o := range objects {
		if err := t.insert("object of the configuration", "INSERT INTO configuration_object (id, source, kind, object, name, place, described, former, key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
			console.NewID(t.by.At), s.Name, o.Kind, o.ID, []byte(o.Name), []byte(o.Place), bytesOf(o.Described), o.Former, o.Key); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "configuration.applied", Object: cmp.Or(s.Name, "files")}, data)
}

// ConfigurationExported records that somebody exported the configuration.
func (t *Tx) ConfigurationExported() error {
	return t.event(console.Event{Kind: "configuration.exported", Object: "configuration"}, nil)
}
