package cli

import "baton"

// area groups options in the help.
type area int

const (
	areaConnector area = iota
	areaSync
	areaChange
	areaNetwork
	areaOutput
	areaService
	areaUnsupported
)

var areaTitles = [...]string{"Connector", "Sync", "Changes", "Network", "Output", "Service mode", "Recognised, not supported"}

// option is a setting as the command line knows it.
type option struct {
	baton.Setting
	Short  string // one-letter flag
	Area   area
	Hidden bool      // left out of --help, shown by "help flags"
	For    operation // the only operation that takes it; noOperation when any does
	Served bool      // the service takes it, too
	OneOf  []string  // allowed values of a string
	Env    string    // a further environment variable that is read
	FileOf string    // the secret whose value is in the file that this option names
	Ignore string    // why setting it changes nothing here
	Refuse string    // why setting it is an error here
}

// options lists everything that can be set: the connector's own settings and the
// flags that users of Baton connectors know, with the same names. A flag that
// makes no sense for the connectors of this project is still listed, so that it is
// answered with a reason.
func options(own []baton.Setting) []option {
	var all []option
	add := func(where area, list ...option) {
		for _, o := range list {
			o.Area = where
			all = append(all, o)
			if o.Kind == baton.SecretSetting {
				all = append(all, option{Area: where, For: o.For, Hidden: o.Hidden, FileOf: o.Name, Setting: baton.Setting{
					Name: o.Name + "-file", Description: "Read " + o.Name + " from this file"}})
			}
		}
	}
	for _, s := range own {
		add(areaConnector, option{Setting: s, Hidden: s.Advanced})
	}
	add(areaSync, syncOptions()...)
	add(areaChange, changeOptions()...)
	add(areaNetwork,
		option{Setting: setting("http-timeout-seconds", "Time for one HTTP request, in seconds", 300, 1, 1800)},
		option{Setting: setting("ca-file", "PEM file of certificate authorities to trust beside the system's", "")},
	)
	add(areaOutput,
		option{Setting: setting("log-format", "How to report: json or console (json unless stdout is a terminal)", ""), OneOf: []string{"json", "console"}},
		option{Setting: setting("log-level", "What to log: debug, info, warn or error", "info"), OneOf: []string{"debug", "info", "warn", "error"}},
		option{Setting: setting("log-level-debug-expires-at", "Time (RFC 3339) after which debug logging falls back to info", ""), Hidden: true},
		option{Setting: setting("log-path", "Files to write logs to instead of stderr", []string(nil))},
	)
	add(areaService, serviceOptions()...)
	add(areaUnsupported, unsupportedOptions()...)
	return all
}

// setting makes a setting whose kind is that of its default. A range follows an int.
func setting(name, description string, def any, bounds ...int) baton.Setting {
	s := baton.Setting{Name: name, Description: description, Default: def}
	switch def.(type) {
	case bool:
		s.Kind = baton.BoolSetting
	case int:
		s.Kind, s.Min, s.Max = baton.IntSetting, bounds[0], bounds[1]
	case []string:
		s.Kind = baton.StringsSetting
	case baton.Secret:
		s.Kind = baton.SecretSetting
	}
	return s
}

func syncOptions() []option {
	return []option{
		{Setting: setting("file", "The c1z file to write and to look things up in", "sync.c1z"), Short: "f"},
		{Setting: setting("sync-resource-types", "Sync these resource types only", []string(nil)), For: opSync, Served: true},
		{Setting: setting("sync-resources", "Sync these resources only: bid:r:type/id or type:id", []string(nil)), For: opSync},
		{Setting: setting("skip-entitlements-and-grants", "Sync resources only", false), For: opSync},
		{Setting: setting("skip-grants", "With --sync-resources: leave grants out", false), For: opSync, Hidden: true},
		{Setting: setting("skip-full-sync", "Check settings and credentials, and sync nothing", false), For: opSync, Served: true},
		{Setting: setting("allow-empty", "Accept a resource type of which the upstream has none", false), For: opSync, Served: true},
		{Setting: setting("allow-removals", "Accept a sync that shows much of the previous one gone", false), For: opSync},
		{Setting: setting("allow-held", "Allow the one sync that was held and named this override; several are separated by commas", ""), For: opSync, Served: true},
		{Setting: setting("max-removals", "Share of a resource type, in percent, that may be gone since the previous sync", 20, 1, 100), For: opSync, Served: true, Hidden: true},
		{Setting: setting("max-removals-from", "Rows that a resource type needs to be judged by a share", 100, 1, 1<<30), For: opSync, Served: true, Hidden: true},
		{Setting: setting("fresh", "Throw away an interrupted sync instead of resuming it", false), For: opSync},
		{Setting: setting("keep-sync-count", "Full syncs to keep in the file", 2, 1, 1000), Hidden: true},
		{Setting: setting("c1z-temp-dir", "Where to keep a sync that is under way (beside the file; of a service, the system's temporary folder)", ""), Hidden: true, Env: "BATON_TMPDIR"},
		{Setting: setting("workers", "Accepted; what can be read side by side always is", 0, -1, 1000), Hidden: true},
		{Setting: setting("parallel-sync", "Accepted; what can be read side by side always is", false), Hidden: true},
		{Setting: setting("storage-engine", "Accepted; the file is always in the sqlite format, which every Baton tool reads", ""), Hidden: true},
		{Setting: setting("session-store-maximum-size", "Accepted; there is no session store to bound", 15<<20, 0, 1<<30), Hidden: true},
	}
}

func changeOptions() []option {
	return []option{
		{Setting: setting("grant-entitlement", "Grant this entitlement, as in group:ID:member", ""), For: opGrant},
		{Setting: setting("grant-principal", "The id of who gets it", ""), For: opGrant},
		{Setting: setting("grant-principal-type", "The resource type of who gets it, as in user", ""), For: opGrant},
		{Setting: setting("revoke-grant", "Revoke the grant with this id", ""), For: opRevoke},
		{Setting: setting("create-account-email", "Create an account for this address", ""), For: opCreate},
		{Setting: setting("create-account-login", "Its login, when that is not the address", ""), For: opCreate},
		{Setting: setting("create-account-profile", "Its fields, as a JSON object", ""), For: opCreate},
		{Setting: setting("create-account-resource-type", "Its resource type, when there are several", ""), For: opCreate, Hidden: true},
		{Setting: setting("invoke-action", "Run this action", ""), For: opInvoke},
		{Setting: setting("invoke-action-args", "Its arguments, as a JSON object", ""), For: opInvoke},
		{Setting: setting("list-action-schemas", "Print the actions and their arguments", false), For: opList},
		{Setting: setting("dry-run", "Say what a change would do, and do not do it", false)},
		{Setting: setting("provisioning", "Let C1 grant, revoke and create accounts (service mode); false refuses every change, in any mode", false), Short: "p"},
	}
}

func serviceOptions() []option {
	return []option{
		{Setting: setting("client-id", "Run as a service for this ConductorOne client", "")},
		{Setting: setting("client-secret", "The secret of that client", baton.Secret{})},
		{Setting: setting("task-concurrency", "How many tasks run at a time", 3, 1, 100)},
		{Setting: setting("keep-previous-sync-c1z", "Keep the last sync that was uploaded, to hold one that shows much of it gone", true), Hidden: true},
		{Setting: setting("get-tasks", "Take several tasks with one call", false), Hidden: true},
		{Setting: setting("shutdown-grace-seconds", "Time for changes that are under way when the service is stopped, in seconds", 20, 1, 3600), Hidden: true},
		{Setting: setting("health-check", "Serve /health, /ready, /live and /metrics over HTTP", false)},
		{Setting: setting("health-check-port", "Port of the health check", 8081, 1, 65535)},
		{Setting: setting("health-check-bind-address", "Address of the health check (all)", ""), Hidden: true},
		{Setting: setting("host-id", "Name of this instance (its host name)", ""), Hidden: true},
		{Setting: setting("c1-api-host", "Talk to this host instead of the one in the client id", ""), Hidden: true},
		{Setting: setting("otel-collector-endpoint", "Export logs, metrics and traces to this OpenTelemetry collector", ""), Hidden: true},
		{Setting: setting("otel-collector-endpoint-tls-cert-path", "PEM file of an authority to trust for the collector", ""), Hidden: true},
		{Setting: setting("otel-collector-endpoint-tls-cert", "An authority to trust for the collector, as PEM text", ""), Hidden: true},
		{Setting: setting("otel-collector-endpoint-tls-insecure", "Without a scheme, the collector's endpoint is http", false), Hidden: true},
		{Setting: setting("otel-tracing-disabled", "Export no traces", false), Hidden: true},
		{Setting: setting("otel-logging-disabled", "Export no logs", false), Hidden: true},
	}
}

// unsupportedOptions are the settings of other Baton connectors that make no sense
// here. What describes a deployment changes nothing, so that a deployment can be taken
// over as it is; what asks for something to be done is refused.
func unsupportedOptions() []option {
	var list []option
	ignore := func(why string, settings ...baton.Setting) {
		for _, s := range settings {
			s.Description = why
			list = append(list, option{Setting: s, Ignore: why, Hidden: true})
		}
	}
	refuse := func(why string, settings ...baton.Setting) {
		for _, s := range settings {
			s.Description = why
			list = append(list, option{Setting: s, Refuse: why, Hidden: true})
		}
	}
	text := func(name string) baton.Setting { return setting(name, "", "") }
	flag := func(name string) baton.Setting { return setting(name, "", false) }
	ignore("there is no ticketing here", flag("ticketing"))
	refuse("there is no ticketing here", flag("create-ticket"), flag("bulk-create-ticket"),
		text("bulk-ticket-template-path"), text("ticket-template-path"), flag("get-ticket"), text("ticket-id"), flag("list-ticket-schemas"))
	ignore("accounts and groups are not matched against another c1z file here",
		text("external-resource-c1z"), text("external-resource-entitlement-id-filter"), setting("external-resource-traits", "", []string(nil)))
	refuse("the upstream has no event feed",
		text("event-feed"), text("event-feed-id"), text("event-feed-start-at"), text("event-feed-cursor"))
	refuse("there are no credentials to rotate", text("rotate-credentials"), text("rotate-credentials-type"))
	refuse("nothing is ever deleted upstream; disable the account instead", text("delete-resource"), text("delete-resource-type"))
	refuse("actions belong to the connector, not to a resource type; use --invoke-action and --list-action-schemas",
		flag("list-resource-actions"), text("invoke-resource-action"), text("invoke-resource-action-resource-type"),
		text("invoke-resource-action-args"), text("invoke-action-resource-type"), text("list-action-schemas-resource-type"))
	refuse("files are compared and compacted with the baton CLI", flag("diff-syncs"), text("base-sync-id"), text("applied-sync-id"),
		flag("compact-syncs"), setting("compact-sync-ids", "", []string(nil)), setting("compact-file-paths", "", []string(nil)), text("compact-output-path"))
	ignore("there is one way to sign in", text("auth-method"))
	return list
}
