package service

import "golang.org/x/sys/unix"

// kernel is the kernel's release and machine, as uname has them.
func kernel() (release, machine string) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "", ""
	}
	return unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
}
