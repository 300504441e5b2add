// Package cli turns a connector into a command line: one binary that syncs,
// changes, describes itself, and runs against its own sandbox.
//
// A main function passes a [Program] to [Main]. [Run] does the same with arguments,
// environment and outputs as parameters, so that a test can run the whole program.
//
// # Configuration
//
// Every setting has one name and one loader. The setting scim-url is the flag
// --scim-url, the environment variable BATON_SCIM_URL and the key scim-url in
// .baton.yaml. They are read in this order:
//
//	flag  >  BATON_*  >  a file in BATON_SETTINGS_DIR  >  .baton.yaml (or the file BATON_CONFIG_PATH names)  >  default
//
// An empty value counts as unset. A list is comma separated, with
// double quotes around an item that holds a comma; in YAML it may also be a
// sequence. A secret can be put in a file: --scim-token-file,
// BATON_SCIM_TOKEN_FILE or the key scim-token-file. Beside these, a service reads
// OpenTelemetry's own OTEL_ variables.
//
// # Output
//
// Results go to stdout, as lines for a person; progress,
// warnings and errors go to stderr. With --log-format json, the default when
// stdout is not a terminal, everything is one JSON object per event on stderr
// instead, and stdout carries only data (capabilities, config, action schemas).
// Control sequences in upstream text are escaped, and secrets are redacted.
//
// # Exit codes
//
// An error is printed once, with its fix. Its [baton.Kind] decides the exit code; see
// [ExitCodes].
package cli
