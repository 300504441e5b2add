package disk

import "io/fs"

// ours is true: on Windows each user has folders of their own for such files.
func ours(fs.FileInfo) bool { return true }

func chmodable(fs.FileInfo) bool { return false }
