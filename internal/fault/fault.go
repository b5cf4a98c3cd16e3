// Package fault makes errors that a caller of the gateway may read.
//
// An [Error] gets its class and its public text where it is made. Its cause stays
// with it for the log and never leaves the process. The class decides what else
// clients see (status, close code, stable code): the table of the root package
// holds these.
//
// Clients see an error of any other kind as an internal error.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/farwire/farwire/internal/safetext"
)

// A Class says what kind of error the world sees.
type Class int

// The classes. The zero value is an internal error.
const (
	Internal Class = iota

	// The request cannot be served as it is.
	BadRequest
	BadFrame
	NotFound
	MethodNotAllowed
	TooLarge
	UnsupportedMedia
	Misdirected
	UpgradeRequired

	// The caller may not, or not now.
	KeyMissing
	KeyInvalid
	SecretInvalid
	OriginRefused
	RateLimited
	LimitReached
	Ended
	Draining

	// The target cannot be reached, or not any longer.
	TargetForbidden
	TargetUnreachable
	TargetRefused
	TargetTimeout
	TargetLost
	TLSFailed
	ProxyFailed
	AgentUnavailable
	AgentFull
	AgentLost
	AgentLeaving
	Stalled

	Classes // how many there are
)

// OfTarget reports whether the target, or what stands before it, is at fault.
func (c Class) OfTarget() bool {
	switch c {
	case TargetForbidden, TargetUnreachable, TargetRefused, TargetTimeout, TargetLost, TLSFailed, ProxyFailed:
		return true
	}
	return false
}

// OfAgent reports whether the agent is at fault.
func (c Class) OfAgent() bool { return c == AgentFull || c == AgentLost || c == AgentLeaving }

// OfHandshake reports whether the target was reached and what followed failed.
func (c Class) OfHandshake() bool {
	switch c {
	case TargetRefused, TargetLost, TLSFailed, ProxyFailed:
		return true
	}
	return false
}

// An Error is an error that clients may see. It must not be changed once it is
// returned; its methods are safe for concurrent use.
type Error struct {
	Class Class

	// Text is what clients read. It names what the caller sent, and never
	// an internal address, a stack or a secret.
	Text string

	// Detail is the part of Text behind "target unreachable: " and the like,
	// for protocols that have a beginning of their own. Empty: Text.
	Detail string

	// RetryAfter says when to come back. Zero: not known.
	RetryAfter time.Duration

	// Allow has the methods of a MethodNotAllowed, as the Allow header has them.
	Allow string

	// Upgrade is the protocol that an UpgradeRequired asks for, as the Upgrade header
	// has it. Empty: the request came over HTTP/2, which knows no upgrade, and forbids
	// the header (RFC 9113, section 8.2.2).
	Upgrade string

	// Quota is that of a RateLimited or LimitReached. Nil: none.
	Quota *Quota

	cause error
}

// A Quota is what a limit allows.
type Quota struct {
	Limit     int64 // at once, or in a day: of bytes, more than an int of 32 bits holds
	Remaining int
}

// New returns an error of a class with its public text.
func New(c Class, text string) *Error { return &Error{Class: c, Text: text} }

// Newf is New with a format.
func Newf(c Class, format string, args ...any) *Error {
	return &Error{Class: c, Text: fmt.Sprintf(format, args...)}
}

// Invalidf returns a BadRequest whose text names what the caller sent.
func Invalidf(format string, args ...any) *Error { return Newf(BadRequest, format, args...) }

// Wrap returns an error with a public text and the cause that the log is told.
func Wrap(c Class, text string, cause error) *Error {
	return &Error{Class: c, Text: text, cause: cause}
}

// Error returns the text and, for the log, the cause where it says more.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Text
	}
	if cause := e.cause.Error(); !strings.Contains(e.Text, cause) {
		return e.Text + ": " + cause
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Timeout reports whether time ran out.
func (e *Error) Timeout() bool { return e.Class == TargetTimeout }

// Permanent reports whether asking again cannot help: what the guard or the caller's
// rules forbid they forbid the next time too.
func (e *Error) Permanent() bool { return e.Class == TargetForbidden && e.RetryAfter == 0 }

// Short returns Detail, or Text when Detail is empty.
func (e *Error) Short() string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Text
}

// Of returns the outermost public error in the tree of err, or nil. An error of another
// package gives one by a method As(any) bool that fills in an **Error.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// ClassOf returns the class of err's public error; Internal when it has none.
func ClassOf(err error) Class {
	if e := Of(err); e != nil {
		return e.Class
	}
	return Internal
}

// Is reports whether err has a public error of this class.
func Is(err error, c Class) bool {
	e := Of(err)
	return e != nil && e.Class == c
}

// FromHost returns an error of a part that the host program supplies. Clients see it as
// an internal error, also when time ran out, unless err has a public error. That a target
// timed out is one of an exit alone: no other part reaches a target.
func FromHost(part string, err error) error { return &hostError{part, err} }

const exit = "exit" // the part that dials

type hostError struct {
	part string
	err  error
}

func (e *hostError) Error() string { return e.part + ": " + e.err.Error() }
func (e *hostError) Unwrap() error { return e.err }

// As fills in the public error of what has none.
func (e *hostError) As(target any) bool {
	to, ok := target.(**Error)
	of := Of(e.err)
	if !ok || of != nil && (of.Class != TargetTimeout || e.part == exit) {
		return false
	}
	*to = New(Internal, "internal error")
	return true
}

// OneLine returns what another program said as a text for callers: valid UTF-8
// without control characters, and of 1000 bytes at most.
func OneLine(s string) string {
	s = safetext.Clip(s, 1000)
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
}

// Clip shortens what a caller sent for an error text.
func Clip(s string) string { return safetext.Clip(s, 100) }

// IsTimeout reports whether time ran out, wherever it was spent.
func IsTimeout(err error) bool {
	if err == nil { // as it mostly is
		return false
	}
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
