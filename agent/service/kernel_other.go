//go:build !linux

package service

// kernel is unknown where there is no uname as Linux has it.
func kernel() (release, machine string) { return "", "" }
