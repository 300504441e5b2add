//go:build !linux

package process

import (
	"context"
	"errors"
	"time"
)

var errLinux = errors.New("process: measuring needs the /proc of Linux")

// Run measures on Linux only.
func Run(context.Context, Command) (Usage, error) { return Usage{}, errLinux }

// Resident measures on Linux only.
func Resident(int) (int64, error) { return 0, errLinux }

// Used is not known.
func Used() time.Duration { return 0 }
