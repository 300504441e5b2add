package cli

import "baton"

// area groups options in the help, in this order.
type area int

const (
	areaConnector area = iota
	areaSync
	areaChange
	areaService
	areaTelemetry
	areaOutput
	areaNetwork
	areaUnsupported
)

var areaTitles = [...]string{"Connector", "Sync", "Changes", "Service mode", "Telemetry", "Logs", "Network", "Recognised, not supported"}

// option is a setting with its command-line properties.
type option struct {
	baton.Setting
	Short  string // one-letter flag
	Area   area
	Hidden bool      // advanced: after the others in the help, not in completions
	For    operation // the only operation that takes it; noOperation if any does
	Served bool      // the service takes it, too
	OneOf  []string  // allowed values of a string
	Env    string    // a further environment variable that is read
	FileOf string    // the secret whose value is in the file that this option names
	Ignore string    // why setting it changes nothing here
	Refuse string    // why setting it is an error here
}

// options lists everything that can be set: the connector's own settings and the flags of other Baton
// connectors, with the same names. Flags without a use here are included, so that a user who sets one gets
// the reason.
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
	add(areaService, serviceOptions()...)
	add(areaTelemetry, telemetryOptions()...)
	add(areaOutput,
		option{Setting: setting("log-format", "Format of the output: json or console (default: console if stdout is a terminal)", ""), OneOf: []string{"json", "console"}},
		option{Setting: setting("log-level", "Level of the log: debug, info, warn or error", "info"), OneOf: []string{"debug", "info", "warn", "error"}},
		option{Setting: setting("log-level-debug-expires-at", "Time (RFC 3339) at which debug logging returns to info", ""), Hidden: true},
		option{Setting: setting("log-path", "Files to write logs to, instead of stderr", []string(nil))},
	)
	add(areaNetwork,
		option{Setting: setting("http-timeout-seconds", "Limit of one HTTP request, in seconds", 300, 1, 1800)},
		option{Setting: setting("ca-file", "PEM file of certificate authorities to trust in addition to the system's", "")},
	)
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
		{Setting: setting("file", "The c1z file: a sync writes it, a change looks up ids in it", "sync.c1z"), Short: "f"},
		{Setting: setting("sync-resource-types", "Sync only these resource types", []string(nil)), For: opSync, Served: true},
		{Setting: setting("sync-resources", "Sync only these resources, written type:id or bid:r:type/id", []string(nil)), For: opSync},
		{Setting: setting("skip-entitlements-and-grants", "Sync resources without entitlements and grants", false), For: opSync},
		{Setting: setting("skip-grants", "With --sync-resources: leave out grants", false), For: opSync, Hidden: true},
		{Setting: setting("skip-full-sync", "Check settings and credentials, and sync nothing", false), For: opSync, Served: true},
		{Setting: setting("allow-empty", "Accept a sync in which a resource type has no resources", false), For: opSync, Served: true},
		{Setting: setting("allow-removals", "Accept a sync that removes more than --max-removals allows", false), For: opSync},
		{Setting: setting("allow-held", "Accept the held sync that named this override; several are separated by commas", ""), For: opSync, Served: true},
		{Setting: setting("max-removals", "Hold a sync that removes more than this percentage of a resource type", 20, 1, 100), For: opSync, Served: true, Hidden: true},
		{Setting: setting("max-removals-from", "Apply --max-removals to resource types with at least this many rows", 100, 1, 1<<30), For: opSync, Served: true, Hidden: true},
		{Setting: setting("fresh", "Discard an interrupted sync instead of resuming it", false), For: opSync},
		{Setting: setting("keep-sync-count", "Number of full syncs to keep in the file", 2, 1, 1000), Hidden: true},
		{Setting: setting("c1z-temp-dir", "Folder for a sync in progress (default: beside the file; in service mode the system's temporary folder)", ""), Hidden: true, Env: "BATON_TMPDIR"},
		{Setting: setting("workers", "Without effect: what can be read in parallel always is", 0, -1, 1000), Hidden: true},
		{Setting: setting("parallel-sync", "Without effect: what can be read in parallel always is", false), Hidden: true},
		{Setting: setting("storage-engine", "Without effect: the file is always in the sqlite format, which every Baton tool reads", ""), Hidden: true},
		{Setting: setting("session-store-maximum-size", "Without effect: there is no session store", 15<<20, 0, 1<<30), Hidden: true},
	}
}

func changeOptions() []option {
	return []option{
		{Setting: setting("grant-entitlement", "Grant this entitlement, such as group:ID:member", ""), For: opGrant},
		{Setting: setting("grant-principal", "Id of the principal that gets it", ""), For: opGrant},
		{Setting: setting("grant-principal-type", "Resource type of the principal, such as user", ""), For: opGrant},
		{Setting: setting("revoke-grant", "Revoke the grant with this id", ""), For: opRevoke},
		{Setting: setting("create-account-email", "Create an account with this e-mail address", ""), For: opCreate},
		{Setting: setting("create-account-login", "Login of the account, if it is not the address", ""), For: opCreate},
		{Setting: setting("create-account-profile", "Fields of the account, as a JSON object", ""), For: opCreate},
		{Setting: setting("create-account-resource-type", "Resource type of the account, if there are several", ""), For: opCreate, Hidden: true},
		{Setting: setting("invoke-action", "Run this action", ""), For: opInvoke},
		{Setting: setting("invoke-action-args", "Arguments of the action, as a JSON object", ""), For: opInvoke},
		{Setting: setting("list-action-schemas", "Print the actions and their arguments", false), For: opList},
		{Setting: setting("dry-run", "Print what a change would do, without doing it", false)},
		{Setting: setting("provisioning", "Allow C1 to grant, revoke and create accounts (service mode); false refuses every change, in any mode", false), Short: "p"},
	}
}

func serviceOptions() []option {
	return []option{
		{Setting: setting("client-id", "Client id from ConductorOne; with it and client-secret the program runs as a service", "")},
		{Setting: setting("client-secret", "Client secret from ConductorOne", baton.Secret{})},
		{Setting: setting("task-concurrency", "Number of tasks to run at the same time", 3, 1, 100)},
		{Setting: setting("keep-previous-sync-c1z", "Keep the last uploaded file, to hold a sync that removes much of it", true), Hidden: true},
		{Setting: setting("get-tasks", "Fetch several tasks with one call", false), Hidden: true},
		{Setting: setting("shutdown-grace-seconds", "Time to finish running changes when the service is stopped, in seconds", 20, 1, 3600), Hidden: true},
		{Setting: setting("health-check", "Serve /health, /ready, /live and /metrics over HTTP", false)},
		{Setting: setting("health-check-port", "Port of the health check", 8081, 1, 65535)},
		{Setting: setting("health-check-bind-address", "Address of the health check (default: all)", ""), Hidden: true},
		{Setting: setting("host-id", "Name of this instance (default: the host name)", ""), Hidden: true},
		{Setting: setting("c1-api-host", "Connect to this host instead of the one in the client id", ""), Hidden: true},
	}
}

func telemetryOptions() []option {
	return []option{
		{Setting: setting("otel-collector-endpoint", "Export logs, metrics and traces of a service to this OpenTelemetry collector", "")},
		{Setting: setting("otel-collector-endpoint-tls-cert-path", "PEM file of a certificate authority to trust for the collector", ""), Hidden: true},
		{Setting: setting("otel-collector-endpoint-tls-cert", "Certificate authority to trust for the collector, as PEM text", ""), Hidden: true},
		{Setting: setting("otel-collector-endpoint-tls-insecure", "Use http for a collector endpoint without a scheme", false), Hidden: true},
		{Setting: setting("otel-tracing-disabled", "Do not export traces", false), Hidden: true},
		{Setting: setting("otel-logging-disabled", "Do not export logs", false), Hidden: true},
	}
}

// unsupportedOptions lists settings of other Baton connectors that have no use here. One
// that describes a deployment is ignored, so that an existing deployment keeps working; one
// that asks for an operation is refused.
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
	ignore("this connector has no ticketing", flag("ticketing"))
	refuse("this connector has no ticketing", flag("create-ticket"), flag("bulk-create-ticket"),
		text("bulk-ticket-template-path"), text("ticket-template-path"), flag("get-ticket"), text("ticket-id"), flag("list-ticket-schemas"))
	ignore("accounts and groups are not matched with another c1z file",
		text("external-resource-c1z"), text("external-resource-entitlement-id-filter"), setting("external-resource-traits", "", []string(nil)))
	refuse("the upstream has no event feed",
		text("event-feed"), text("event-feed-id"), text("event-feed-start-at"), text("event-feed-cursor"))
	refuse("there are no credentials to rotate", text("rotate-credentials"), text("rotate-credentials-type"))
	refuse("nothing is deleted upstream; disable the account instead", text("delete-resource"), text("delete-resource-type"))
	refuse("actions belong to the connector, not to a resource type; use --invoke-action and --list-action-schemas",
		flag("list-resource-actions"), text("invoke-resource-action"), text("invoke-resource-action-resource-type"),
		text("invoke-resource-action-args"), text("invoke-action-resource-type"), text("list-action-schemas-resource-type"))
	refuse("files are compared and compacted with the baton CLI", flag("diff-syncs"), text("base-sync-id"), text("applied-sync-id"),
		flag("compact-syncs"), setting("compact-sync-ids", "", []string(nil)), setting("compact-file-paths", "", []string(nil)), text("compact-output-path"))
	ignore("there is only one way to sign in", text("auth-method"))
	return list
}
