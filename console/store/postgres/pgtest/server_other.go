//go:build !linux

package pgtest

import (
	"runtime"

	"baton"
)

var errPlatform = baton.Errorf(baton.Unsupported, "pgtest: no server is started on %s", runtime.GOOS)

// Server is a PostgreSQL server, which this platform does not support.
type Server struct{ dir string }

func start(...string) (*Server, error) { return nil, errPlatform }

func (s *Server) running() bool  { return false }
func (s *Server) output() string { return "" }

// Run fails.
func (s *Server) Run() error { return errPlatform }

// Stop does nothing.
func (s *Server) Stop() {}

// Kill does nothing.
func (s *Server) Kill() {}

// Pid returns 0.
func (s *Server) Pid() int { return 0 }

// Remove does nothing.
func (s *Server) Remove() {}
