//go:build !unix

package cli

import "os"

// raiseSignals hears of nothing: there is no signal for it here.
func raiseSignals() (signals <-chan os.Signal, forget func()) { return nil, func() {} }
