// Package login checks what people prove themselves with: passwords and one-time codes. It
// stores nothing.
package login
