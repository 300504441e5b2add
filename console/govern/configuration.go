package govern

import (
	"context"
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Configuration reads, exports and compares configuration files. Package config, which imports this one,
// does it.
type Configuration interface {
	Read(files []console.ConfigurationFile) (ConfigurationFiles, error)
	Export(tx *store.Tx) ([]byte, error)
	Drift(tx *store.Tx, source string) ([]console.ConfigurationDifference, error)
}

// ConfigurationFiles are files that were read.
type ConfigurationFiles interface {
	Apply(tx *store.Tx, o console.ConfigurationOptions) (console.ConfigurationPlan, error)
}

// noConfiguration takes the place of [Configuration] where there are no configuration files.
type noConfiguration struct{}

var errNoConfiguration = baton.Errorf(baton.Unsupported, "this console takes no configuration files")

func (noConfiguration) Read([]console.ConfigurationFile) (ConfigurationFiles, error) {
	return nil, errNoConfiguration
}

func (noConfiguration) Export(*store.Tx) ([]byte, error) { return nil, errNoConfiguration }

func (noConfiguration) Drift(*store.Tx, string) ([]console.ConfigurationDifference, error) {
	return nil, errNoConfiguration
}

// errPlanned undoes the transaction of a plan.
var errPlanned = errors.New("planned")

// PlanConfiguration returns what applying files would do.
func (c *Console) PlanConfiguration(ctx context.Context, caller Caller, files []console.ConfigurationFile, o console.ConfigurationOptions) (console.ConfigurationPlan, error) {
	plan, err := c.configure(ctx, caller, files, o, errPlanned)
	if errors.Is(err, errPlanned) {
		err = nil
	}
	return plan, err
}

// ApplyConfiguration changes the console as files say. Changes that weaken a control wait for a second
// person.
func (c *Console) ApplyConfiguration(ctx context.Context, caller Caller, files []console.ConfigurationFile, o console.ConfigurationOptions) (console.ConfigurationPlan, error) {
	if err := c.recentOrClient(caller); err != nil {
		return console.ConfigurationPlan{}, c.denied(ctx, caller, err)
	}
	return c.configure(ctx, caller, files, o, nil)
}

// configure applies files in a transaction that ends with an error, or is committed without one.
func (c *Console) configure(ctx context.Context, caller Caller, files []console.ConfigurationFile, o console.ConfigurationOptions, end error) (plan console.ConfigurationPlan, err error) {
	// Whoever may not do it learns nothing about the files, and costs nothing.
	if err := c.read(ctx, caller, configuring, func(_ *store.Tx, me console.Person) error {
		return console.ConfigureSettings.Check(me, console.Object{})
	}); err != nil {
		return plan, err
	}
	if err := console.CheckConfigurationSource(o.Source); err != nil {
		return plan, err
	}
	read, err := c.configuration.Read(files)
	if err != nil {
		return plan, err
	}
	o.Program = caller.Client != nil
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) (err error) {
		if err := console.ConfigureSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		if plan, err = read.Apply(tx, o); err != nil {
			return err
		}
		return end
	})
	return plan, err
}

// ExportConfiguration returns the configuration as one file, without secrets.
func (c *Console) ExportConfiguration(ctx context.Context, caller Caller) (text []byte, err error) {
	err = c.change(ctx, caller, reading, func(tx *store.Tx, me console.Person) (err error) {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		if text, err = c.configuration.Export(tx); err != nil {
			return err
		}
		return tx.ConfigurationExported()
	})
	return text, err
}

// ConfigurationView is a set of files that was applied, with what differs since.
type ConfigurationView struct {
	console.ConfigurationSource
	ByName string
	Drift  []DriftView
}

// DriftView is an object that differs from the files, with its newest event since they were applied.
type DriftView struct {
	console.ConfigurationDifference
	By string    // "" if no event says who changed it
	At time.Time // zero if no event says when
}

// ConfigurationSources returns the sets of files that were applied, with what differs since.
func (c *Console) ConfigurationSources(ctx context.Context, caller Caller) (all []ConfigurationView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		all = nil
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		sources, err := tx.ConfigurationSources()
		if err != nil {
			return err
		}
		for _, s := range sources {
			v := ConfigurationView{ConfigurationSource: s}
			if v.ByName, err = actorName(tx, s.By); err != nil {
				return err
			}
			drift, err := c.configuration.Drift(tx, s.Name)
			if err != nil {
				return err
			}
			for _, d := range drift {
				one, err := driftView(tx, s, d)
				if err != nil {
					return err
				}
				v.Drift = append(v.Drift, one)
			}
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

func driftView(tx *store.Tx, s console.ConfigurationSource, d console.ConfigurationDifference) (v DriftView, err error) {
	v.ConfigurationDifference = d
	f := store.EventFilter{Object: d.ID}
	switch d.Kind {
	case console.ConfiguredRequirement:
		return v, nil // its events name the entitlement only
	case console.ConfiguredPerson:
		f = store.EventFilter{Person: console.ID(d.ID)}
	}
	events, err := tx.EventsBefore(f, 0, 1)
	if err != nil || len(events) == 0 || !events[0].At.After(s.Applied) {
		return v, err
	}
	v.At = events[0].At
	v.By, err = actorName(tx, events[0].Actor)
	return v, err
}

// actorName returns the name of whoever did something.
func actorName(tx *store.Tx, a console.Actor) (string, error) {
	name := ""
	if id := a.Person(); id != "" {
		p, err := tx.Person(id)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return "", err
		}
		name = p.Name
	}
	return a.Name(name), nil
}

// ManagedBy returns the name of the source whose files describe an object; "" if none do. It is for
// pages that show the object.
func (c *Console) ManagedBy(ctx context.Context, caller Caller, kind console.ConfigurationKind, id string) (source string, err error) {
	err = c.read(ctx, caller, own, func(tx *store.Tx, _ console.Person) (err error) {
		source, err = tx.ManagedBy(kind, id)
		return err
	})
	return source, err
}
