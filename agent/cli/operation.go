package cli

import (
	"fmt"
	"slices"

	"baton"
	"baton/internal/english"
)

// operation identifies what a run without a sub-command does.
type operation string

const (
	noOperation operation = ""
	opSync      operation = "sync"
	opGrant     operation = "grant"
	opRevoke    operation = "revoke"
	opCreate    operation = "create-account"
	opInvoke    operation = "invoke-action"
	opList      operation = "list-action-schemas"
	opService   operation = "service"
)

// trigger is a flag that asks for an operation, with the flags that it requires.
type trigger struct {
	op    operation
	flag  string
	needs []string
}

func triggers() []trigger {
	return []trigger{
		{opGrant, "grant-entitlement", []string{"grant-principal", "grant-principal-type"}},
		{opRevoke, "revoke-grant", nil},
		{opCreate, "create-account-email", nil},
		{opInvoke, "invoke-action", nil},
		{opList, "list-action-schemas", nil},
	}
}

// changes reports whether the operation changes the upstream.
func (op operation) changes() bool {
	return op == opGrant || op == opRevoke || op == opCreate || op == opInvoke
}

// choose returns the operation of a run without a sub-command. Options that contradict each
// other are an error; no combination falls back to a full sync.
func choose(all []option, c configuration) (operation, error) {
	var requested []trigger
	for _, t := range triggers() {
		if c.Has(t.flag) && (t.op != opList || c.Values.Bool(t.flag)) {
			requested = append(requested, t)
		}
	}
	if len(requested) > 1 {
		return "", baton.Errorf(baton.Invalid, "%s and %s ask for two operations", c.label(requested[0].flag), c.label(requested[1].flag)).
			WithFix("run one after the other")
	}
	op := opSync
	switch {
	case len(requested) == 1:
		op = requested[0].op
		if err := c.complete(requested[0]); err != nil {
			return "", err
		}
		if c.Typed("client-id") {
			return "", baton.Errorf(baton.Invalid, "--client-id starts the service, so it cannot be combined with %s", c.label(requested[0].flag))
		}
	case c.Has("client-id") != c.Has("client-secret"):
		return "", baton.Errorf(baton.Invalid, "client-id and client-secret must both be set, and one of them is missing").
			WithFix("set both to run as a service, or neither to sync into a file")
	case c.Has("client-id"):
		op = opService
	}
	if err := c.fits(all, op); err != nil {
		return "", err
	}
	if c.Values.Bool("dry-run") && !op.changes() {
		return "", baton.Errorf(baton.Invalid, "%s requires a change", c.label("dry-run")).
			WithFix("add --grant-entitlement, --revoke-grant, --create-account-email or --invoke-action")
	}
	return op, nil
}

// label returns where an option was set, for messages.
func (c configuration) label(name string) string {
	if g := c.From[name]; g.Label != "" {
		return g.Label
	}
	return "--" + name
}

// complete checks that the flags which an operation requires are set.
func (c configuration) complete(t trigger) error {
	var missing []string
	for _, name := range t.needs {
		if !c.Has(name) {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return baton.Errorf(baton.Invalid, "%s needs %s too", c.label(t.flag), english.And(missing))
}

// fits checks that every option that is set belongs to the operation. Sync options in the
// environment or in a file configure a container and do not conflict with a change.
func (c configuration) fits(all []option, op operation) error {
	for _, o := range all {
		if o.For == noOperation || o.For == op || !c.Has(o.Name) {
			continue
		}
		if o.For == opSync {
			if c.Typed(o.Name) && !(op == opService && o.Served) {
				return baton.Errorf(baton.Invalid, "--%s applies to a sync, and this run is %s", o.Name, op)
			}
			continue
		}
		index := slices.IndexFunc(triggers(), func(t trigger) bool { return t.op == o.For })
		if flag := triggers()[index].flag; flag != o.Name {
			return baton.Errorf(baton.Invalid, "%s needs --%s too", c.label(o.Name), flag)
		}
	}
	return nil
}

// refused returns an error if an option is set that is known and not supported. An option that
// is set to its default is accepted.
func refused(all []option, c configuration) error {
	for _, o := range all {
		if o.Refuse != "" && c.asks(o) {
			return baton.Errorf(baton.Unsupported, "%s is not supported: %s", c.label(o.Name), o.Refuse).WithFix("leave it out")
		}
	}
	return nil
}

// ignored describes the options that are set and have no effect.
func ignored(all []option, c configuration) (texts []string) {
	for _, o := range all {
		if o.Ignore != "" && c.asks(o) {
			texts = append(texts, fmt.Sprintf("%s changes nothing: %s", c.label(o.Name), o.Ignore))
		}
	}
	if engine := c.Values.String("storage-engine"); engine != "" && engine != "sqlite" {
		texts = append(texts, fmt.Sprintf("%s changes nothing: the file is in the sqlite format, which every Baton tool reads (baton to-pebble converts it)",
			c.label("storage-engine")))
	}
	return texts
}

// asks reports whether the option is set to something other than its default.
func (c configuration) asks(o option) bool {
	return c.Has(o.Name) && (o.Kind != baton.BoolSetting || c.Values.Bool(o.Name))
}

// syncFits checks the options of a sync against each other and against the connector before
// anything is opened.
func syncFits(connector *baton.Connector, c configuration) ([]baton.ResourceID, error) {
	types, targets := c.Values.Strings("sync-resource-types"), c.Values.Strings("sync-resources")
	switch {
	case len(types) > 0 && len(targets) > 0:
		return nil, baton.Errorf(baton.Invalid, "%s and %s cannot be combined", c.label("sync-resource-types"), c.label("sync-resources"))
	case c.Values.Bool("skip-grants") && len(targets) == 0:
		return nil, baton.Errorf(baton.Invalid, "%s needs --sync-resources", c.label("skip-grants")).
			WithFix("use --skip-entitlements-and-grants for a sync of resources only")
	case c.Values.Bool("skip-full-sync") && len(targets) > 0:
		return nil, baton.Errorf(baton.Invalid, "%s and %s cannot be combined", c.label("skip-full-sync"), c.label("sync-resources"))
	case len(targets) > 0 && connector.Get == nil:
		return nil, baton.Errorf(baton.Unsupported, "%s: this connector cannot read single resources", c.label("sync-resources"))
	}
	for _, t := range types {
		if err := knownType(connector, c.label("sync-resource-types"), t); err != nil {
			return nil, err
		}
	}
	var ids []baton.ResourceID
	for _, text := range targets {
		id, err := parseResource(text)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "%s: %w", c.label("sync-resources"), err).
				WithFix("write a resource as type:id or bid:r:type/id")
		}
		if err := knownType(connector, c.label("sync-resources"), id.Type); err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// knownType checks that the connector declares a resource type.
func knownType(connector *baton.Connector, label, name string) error {
	if _, ok := connector.ResourceType(name); ok {
		return nil
	}
	var names []string
	for _, t := range connector.ResourceTypes {
		names = append(names, t.ID)
	}
	return baton.Errorf(baton.Invalid, "%s: there is no resource type %q", label, name).WithFix("use %s", english.Or(names))
}
