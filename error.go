package baton

import (
	"context"
	"errors"
	"fmt"
)

// Kind classifies errors by what the asker can do about them. The list is closed:
// wire maps it to gRPC codes and runner to exit codes, and nothing else does.
type Kind int

// The kinds of errors.
const (
	Internal         Kind = iota // a defect of this program, or an error nobody classified
	Invalid                      // the request or the configuration is wrong; change it
	Unauthenticated              // the credential was not accepted
	PermissionDenied             // the credential may not do this
	NotFound                     // what was named does not exist
	AlreadyExists                // it exists and cannot be used as asked
	Refused                      // a guard or the state of things forbids it
	Unsupported                  // the connector or the upstream cannot do this
	Unavailable                  // the upstream is down, or breaks off; try again later
	RateLimited                  // the upstream asks to slow down; try again later
	Incomplete                   // what was read cannot be proved complete
	Corrupt                      // a file is not what it should be
	Storage                      // the disk is full, read-only or failing
	Canceled                     // the asker gave up
	DeadlineExceeded             // time ran out
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "permission denied", "not found", "already exists",
	"refused", "unsupported", "unavailable", "rate limited", "incomplete", "corrupt", "storage", "canceled", "deadline exceeded"}

// String is the kind in words.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Error is a classified error. It prints as its cause, on one line; Fix is
// printed beside it, once, by whoever shows the error to a person.
type Error struct {
	Kind Kind
	Err  error  // what failed and why
	Fix  string // what to do about it, a sentence; may be empty
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind. As with fmt.Errorf, %w keeps a cause.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// WithFix adds what to do about the error.
func (e *Error) WithFix(format string, args ...any) *Error {
	e.Fix = fmt.Sprintf(format, args...)
	return e
}

// KindOf is the kind of the outermost classified error in the chain. Context
// errors are classified as such; anything else unclassified is Internal.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return Internal
}

// FixOf is the advice of the outermost error in the chain that carries any.
func FixOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Fix != "" {
			return e.Fix
		}
		err = e.Err
	}
	return ""
}
