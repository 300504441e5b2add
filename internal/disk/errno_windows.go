package disk

import "golang.org/x/sys/windows"

// Error codes, grouped by advice.
var (
	full      = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}
	overQuota = []error{windows.ERROR_DISK_QUOTA_EXCEEDED}
	tooBig    = []error{windows.ERROR_FILE_TOO_LARGE}
	readOnly  = []error{windows.ERROR_WRITE_PROTECT}
	tooMany   = []error{windows.ERROR_TOO_MANY_OPEN_FILES}
	inUse     = []error{windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION}
	failing   = []error{windows.ERROR_CRC, windows.ERROR_IO_DEVICE, windows.ERROR_SEEK, windows.ERROR_SECTOR_NOT_FOUND, windows.ERROR_NOT_READY}
)
