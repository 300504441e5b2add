//go:build !linux

package service

// kernel returns nothing: this system has no uname like that of Linux.
func kernel() (release, machine string) { return "", "" }
