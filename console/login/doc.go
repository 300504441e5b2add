// Package login checks passwords and one-time codes. It stores nothing.
package login
