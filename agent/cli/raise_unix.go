//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// raiseSignals returns a channel that receives SIGUSR1 until forget is called.
func raiseSignals() (signals <-chan os.Signal, forget func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c, func() { signal.Stop(c) }
}
