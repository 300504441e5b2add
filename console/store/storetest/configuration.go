package storetest

import (
	"testing"

	"baton/console"
	"baton/console/store"
)

// testConfiguration records what files describe, replaces it, and finds who manages an object.
func testConfiguration(t *testing.T, db Database) {
	s := open(t, db)
	object := func(kind console.ConfigurationKind, id, described string, former bool) console.ManagedObject {
		return console.ManagedObject{ConfiguredObject: console.ConfiguredObject{Kind: kind, ID: id, Name: "Name of " + id}, Place: "a.yaml: line 1", Described: []byte(described), Former: former}
	}
	all := []console.ManagedObject{object(console.ConfiguredApp, "a", `{"name":"A"}`, false), object(console.ConfiguredApp, "b", `{}`, true), object(console.ConfiguredPolicy, "a", `{}`, false)}
	all[0].Key = "key-of-a"
	for _, source := range []string{"one", "two"} {
		update(t, s, by(1), func(tx *store.Tx) error {
			return tx.SetConfiguration(console.ConfigurationSource{Name: source, Digest: "d", Objects: 2}, all, map[string]any{"source": source})
		})
	}
	update(t, s, by(2), func(tx *store.Tx) error {
		return tx.SetConfiguration(console.ConfigurationSource{Name: "two", Digest: "e", Objects: 1}, all[2:], nil)
	})
	view(t, s, func(tx *store.Tx) error {
		sources, err := tx.ConfigurationSources()
		if err != nil || len(sources) != 2 || sources[0].Digest != "d" || sources[1].Digest != "e" || sources[1].Objects != 1 || !sources[1].Applied.After(sources[0].Applied) || sources[0].By != by(1).Actor {
			t.Errorf("%+v, %v", sources, err)
		}
		none, err := tx.ConfigurationSource("three")
		if err != nil || none != nil {
			t.Errorf("%+v, %v", none, err)
		}
		first, err := tx.ManagedObjects("one", console.ConfiguredObject{}, 2)
		if err != nil || len(first) != 2 || first[0].ID != "a" || string(first[0].Described) != `{"name":"A"}` || first[0].Former || !first[1].Former || first[0].Name != "Name of a" || first[0].Place != "a.yaml: line 1" || first[0].Key != "key-of-a" {
			t.Errorf("%+v, %v", first, err)
		}
		rest, err := tx.ManagedObjects("one", first[1].ConfiguredObject, 2)
		if err != nil || len(rest) != 1 || rest[0].Kind != console.ConfiguredPolicy {
			t.Errorf("%+v, %v", rest, err)
		}
		for id, want := range map[string]string{"a": "one", "b": "", "c": ""} {
			if got, err := tx.ManagedBy(console.ConfiguredApp, id); err != nil || got != want {
				t.Errorf("%s is managed by %q, %v; want %q", id, got, err, want)
			}
		}
		for key, want := range map[string]string{"key-of-a": "a", "": "", "other": ""} {
			if got, err := tx.KeyedObject("two", console.ConfiguredApp, key); key != "" && (err != nil || got != want) {
				t.Errorf("the key %q is that of %q, %v; want %q", key, got, err, want)
			}
		}
		for id, want := range map[string]string{"a": "key-of-a", "b": "", "c": ""} {
			if got, err := tx.KeyOf(console.ConfiguredApp, id); err != nil || got != want {
				t.Errorf("the key of %s is %q, %v; want %q", id, got, err, want)
			}
		}
		return nil
	})
	update(t, s, by(3), func(tx *store.Tx) error { return tx.ConfigurationExported() })
}
