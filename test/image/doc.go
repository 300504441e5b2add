// Package image contains only a test: it starts the images of the connectors like a container engine, with a
// read-only root and an unprivileged user, beside their sandboxes. It needs root and built images; `make
// image-test` provides both.
package image
