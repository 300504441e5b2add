package service

import "golang.org/x/sys/unix"

// kernel returns the release and the machine of the kernel, as uname does.
func kernel() (release, machine string) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "", ""
	}
	return unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
}
