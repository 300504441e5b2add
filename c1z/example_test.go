package c1z_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
)

// makeFile writes two syncs of a small tenant. In the second one, Bob is gone and Cy is new.
func makeFile(path string) error {
	group := baton.ResourceID{Type: "group", ID: "g1"}
	member := baton.EntitlementID{Resource: group, Slug: "member"}
	for i, people := range [][]string{{"Ann", "Bob"}, {"Ann", "Cy"}} {
		start := time.Date(2024, 3, 1+i, 10, 0, 0, 0, time.UTC)
		w, err := writer.Create(path, writer.Options{SyncID: []string{"2d59idiJblyjTYN6gSeESlyJKtz", "2d5H156amZCr4RtkRHTNCLb448Z"}[i],
			SyncType: c1z.Full, Started: start})
		if err != nil {
			return err
		}
		add := func(r writer.Row, e error) { err = errors.Join(err, e, w.Add(r)) }
		add(writer.ResourceTypeRow(baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}))
		add(writer.ResourceRow(baton.Resource{ID: group, DisplayName: "Admins"}))
		add(writer.EntitlementRow(baton.Entitlement{ID: member, DisplayName: "Member of Admins"}, nil))
		for _, name := range people {
			id := baton.ResourceID{Type: "user", ID: name}
			add(writer.ResourceRow(baton.Resource{ID: id, DisplayName: name, User: &baton.User{}}))
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: id}}))
		}
		if err != nil {
			return errors.Join(err, w.Abort())
		}
		if _, err := w.Seal(context.Background(), start.Add(time.Minute)); err != nil {
			return err
		}
	}
	return nil
}

// Example prints who holds which entitlement, and the changes since the previous sync.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sync.c1z")
	if err := makeFile(path); err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	f, err := c1z.Open(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	sync, err := f.Latest()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sync.Type, sync.Ended)
	for e, err := range sync.Entitlements(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		for g, err := range sync.GrantsOf(ctx, e.ID) {
			if err != nil {
				log.Fatal(err)
			}
			who, err := sync.Resource(ctx, g.Principal)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%s: %s\n", e.DisplayName, who.DisplayName)
		}
	}
	for d, err := range c1z.CompareResources(ctx, sync.Previous(), sync) {
		switch {
		case err != nil:
			log.Fatal(err)
		case d.Before == nil:
			fmt.Println("new:", d.After.DisplayName)
		case d.After == nil:
			fmt.Println("gone:", d.Before.DisplayName)
		}
	}
	// Output:
	// full 2024-03-02 10:01:00 +0000 UTC
	// Member of Admins: Ann
	// Member of Admins: Cy
	// gone: Bob
	// new: Cy
}

// ExampleOpen distinguishes a file of another storage engine from a damaged one.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sync.c1z")
	manifest := "\x0a\x07pebble3"
	if err := os.WriteFile(path, []byte("C1Z3\x00\x00\x00\x00\x09"+manifest), 0o600); err != nil {
		log.Fatal(err)
	}
	_, err = c1z.Open(context.Background(), path)
	var engine *c1z.EngineError
	if errors.As(err, &engine) {
		fmt.Println(engine.Engine, engine.Version)
	}
	// Output: pebble3 3
}
