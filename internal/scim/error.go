package scim

import "fmt"

// Error is a request that cannot be carried out, for the response 400 (RFC 7644 section 3.12).
type Error struct {
	Type   string // the scimType, for example "invalidPath"
	Detail string
}

func errorf(scimType, format string, args ...any) *Error {
	return &Error{scimType, fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Detail }
