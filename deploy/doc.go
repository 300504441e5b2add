// Package deploy holds what runs the connectors in Kubernetes (plain manifests and a
// Helm chart), under Docker Compose and under systemd. Its tests decode all of it as
// strictly as those who read it, and hold it against the connectors' settings and the
// image. It is a module of its own for their sake.
package deploy
