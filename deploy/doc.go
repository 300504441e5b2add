// Package deploy holds the files for running the connectors in Kubernetes (plain manifests and a Helm chart),
// under Docker Compose and under systemd. Its tests decode all of them strictly, and compare them with the
// connectors' settings and the images. It is a separate module because of the tests' dependencies.
package deploy
