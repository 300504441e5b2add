package disk

import "io/fs"

// On Windows the folders for such files are each user's own.
func ours(fs.FileInfo) bool { return true }

func chmodable(fs.FileInfo) bool { return false }
