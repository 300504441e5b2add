// Package cli is the command line of the console.
//
// A setting is the flag --name, the environment variable BATON_CONSOLE_NAME, the key name in the
// file that --config names, or its default, in this order. A secret can be read from a file:
// --database-file, BATON_CONSOLE_DATABASE_FILE.
//
// Results go to stdout; errors, warnings and logs go to stderr. An error is printed once, with what
// to do about it, and its [baton.Kind] decides the exit code, as in package agent/cli.
package cli
