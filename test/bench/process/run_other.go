//go:build !linux

package process

import (
	"context"
	"errors"
	"time"
)

var errLinux = errors.New("process: measuring needs the /proc of Linux")

// Run needs Linux.
func Run(context.Context, Command) (Usage, error) { return Usage{}, errLinux }

// Resident needs Linux.
func Resident(int) (int64, error) { return 0, errLinux }

// Used returns 0, because the CPU time is unknown.
func Used() time.Duration { return 0 }
