//go:build unix

package disk

import "syscall"

// Error codes, grouped by advice.
var (
	full      = []error{syscall.ENOSPC}
	overQuota = []error{syscall.EDQUOT}
	tooBig    = []error{syscall.EFBIG}
	readOnly  = []error{syscall.EROFS}
	tooMany   = []error{syscall.EMFILE, syscall.ENFILE}
	inUse     = []error{syscall.EBUSY, syscall.ETXTBSY}
	failing   = []error{syscall.EIO, syscall.ENXIO, syscall.ENODEV, syscall.ESTALE}
)
