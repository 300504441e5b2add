//go:build !unix

package cli

import "os"

// raiseSignals returns no signals: this system has none for this purpose.
func raiseSignals() (signals <-chan os.Signal, forget func()) { return nil, func() {} }
