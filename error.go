package baton

import (
	"context"
	"errors"
	"fmt"
)

// Kind classifies errors by what the caller can do about them. The list is closed. Package wire maps kinds to
// gRPC codes and package cli maps them to exit codes; nothing else does.
type Kind int

// The kinds of errors.
const (
	Internal         Kind = iota // a defect of this program, or an unclassified error
	Invalid                      // the request or the configuration is wrong; change it
	Unauthenticated              // the credential was not accepted
	PermissionDenied             // the credential may not do this
	NotFound                     // the named object does not exist
	AlreadyExists                // the object exists, and the request conflicts with it
	Refused                      // a guard or the current state forbids it
	Unsupported                  // the connector or the upstream cannot do this
	Unavailable                  // the upstream is down or broke off; try again later
	RateLimited                  // the upstream asks to slow down; try again later
	Incomplete                   // the data that was read cannot be proved complete
	Corrupt                      // a file is damaged or of another format
	Storage                      // the disk is full, read-only or failing
	Canceled                     // the caller gave up
	DeadlineExceeded             // time ran out
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "permission denied", "not found", "already exists",
	"refused", "unsupported", "unavailable", "rate limited", "incomplete", "corrupt", "storage", "canceled", "deadline exceeded"}

// String returns the kind in words.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Error is a classified error. It prints as its cause, on one line. Whoever shows the error to a person
// prints Fix beside it, once.
type Error struct {
	Kind Kind
	Err  error  // what failed and why
	Fix  string // advice, one sentence; may be empty
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error of a kind. As with fmt.Errorf, %w wraps a cause.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// WithFix sets the advice for the error and returns the error.
func (e *Error) WithFix(format string, args ...any) *Error {
	e.Fix = fmt.Sprintf(format, args...)
	return e
}

// KindOf returns the kind of the outermost classified error in the chain. Context errors are Canceled or
// DeadlineExceeded; any other unclassified error is Internal.
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

// FixOf returns the advice of the outermost error in the chain that has any.
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
