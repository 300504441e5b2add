// Package deploy holds the files for running the connectors and the console in Kubernetes (plain manifests and
// Helm charts), under Docker Compose and under systemd. Its tests decode all of them strictly, compare them with
// the programs' settings and the images, and start the console as they do. It is a separate module because of the tests' dependencies.
package deploy
