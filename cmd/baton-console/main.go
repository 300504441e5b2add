// Command baton-console is the other half of Baton: it runs syncs of connectors, keeps who
// has access to what and since when, and compares it.
package main

import (
	"os"

	"baton/console/cli"
)

// version is set when a release is linked, see the Makefile.
var version string

func main() { os.Exit(cli.Main(version)) }
