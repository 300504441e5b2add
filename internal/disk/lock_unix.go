//go:build unix

package disk

import (
	"errors"

	"golang.org/x/sys/unix"
)

// tryLock takes an advisory lock that the system releases when the process ends.
func tryLock(f File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}
