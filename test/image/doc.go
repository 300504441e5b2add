// Package image has no code but a test: it starts the images of the connectors as a
// container engine does, from a read-only root as a user without rights, beside their
// sandboxes. It needs root and built images; `make image-test` has both.
package image
