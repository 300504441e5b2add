// Package cli turns a connector into a command line: one binary that syncs,
// changes, describes itself, and runs against its own sandbox.
//
// A main is a [Program] handed to [Main]. [Run] is the same thing without the
// operating system: arguments, environment and outputs are parameters, so a test
// starts the whole program.
//
// # Configuration
//
// Every setting has one name and one loader. The setting scim-url is the flag
// --scim-url, the environment variable BATON_SCIM_URL and the key scim-url in
// .baton.yaml, and has the same value whichever way it came:
//
//	flag  >  BATON_*  >  a file in BATON_SETTINGS_DIR  >  .baton.yaml (or the file BATON_CONFIG_PATH names)  >  default
//
// An empty value is no value, wherever it stands. A list is comma separated, with
// double quotes around an item that holds a comma; in YAML it may also be a
// sequence. A secret can be put in a file: --scim-token-file,
// BATON_SCIM_TOKEN_FILE or the key scim-token-file. Beside these, a service reads
// OpenTelemetry's own OTEL_ variables.
//
// # Output
//
// What a command found or did goes to stdout, in lines for a person; progress,
// warnings and errors go to stderr. With --log-format json, the default when
// stdout is not a terminal, everything is one JSON object per event on stderr
// instead, and stdout carries only data that was asked for (capabilities, config,
// action schemas). Control sequences in upstream text are made visible, and the
// value of a secret never reaches an output.
//
// # Exit codes
//
// An error is printed once, with what to do about it, and its [baton.Kind] decides
// the exit code; see [ExitCodes].
package cli
