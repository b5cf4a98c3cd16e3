package llmstxt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/safetext"
)

// Each of these tells a gateway by errors.As what its clients may read.
var (
	// ErrURL is returned for a base URL that is not an absolute http or https
	// URL with a host.
	ErrURL error = &crawlError{text: "llmstxt: not an http or https URL",
		public: fault.New(fault.BadRequest, "Invalid URL format")}
	// ErrRobots is returned when robots.txt forbids the base page, or is
	// unreachable, which counts as forbidden (RFC 9309).
	ErrRobots error = &crawlError{text: "llmstxt: robots.txt forbids this crawl",
		public: fault.New(fault.TargetRefused, "robots.txt forbids crawling this site")}
	// ErrRobotsUnreachable is the ErrRobots (errors.Is) of a robots.txt that the server
	// answers with 429 or 5xx, or that cannot be decoded: RFC 9309, section 2.3.1.4, calls
	// it unreachable, and everything counts as forbidden.
	ErrRobotsUnreachable error = &crawlError{text: "llmstxt: robots.txt is unreachable: the server answers with an error, so nothing may be crawled (RFC 9309)",
		public: fault.New(fault.TargetRefused, "robots.txt of this site is unreachable: the server answers with an error"), kind: ErrRobots}
	// ErrSignals is returned when robots.txt says ai-input=no for the base page and
	// Options.Signals is set.
	ErrSignals error = &crawlError{text: "llmstxt: the site's content signals refuse this crawl",
		public: fault.New(fault.TargetRefused, "The site's content signals refuse this crawl (ai-input=no)")}
	// ErrTimeout is returned when time ran out before the first page.
	ErrTimeout error = &crawlError{text: "llmstxt: time was over before the first page",
		public: fault.New(fault.TargetTimeout, "Crawl timeout exceeded")}
)

// A crawlError is a reason why there is no crawl.
type crawlError struct {
	text   string
	public *fault.Error
	kind   error // what it is, too; nil: itself alone
}

func (e *crawlError) Error() string        { return e.text }
func (e *crawlError) Is(target error) bool { return e.kind != nil && errors.Is(e.kind, target) }

// unreadableRobots is the ErrRobotsUnreachable of a robots.txt that is there: its rules are
// not known, and a part of them may say the opposite of all.
func unreadableRobots(why string) error {
	return &crawlError{text: "llmstxt: robots.txt cannot be read: " + why + ", so nothing may be crawled (RFC 9309)",
		public: fault.New(fault.TargetRefused, "robots.txt of this site cannot be read: "+why), kind: ErrRobotsUnreachable}
}

// As fills in what clients of a gateway may read.
func (e *crawlError) As(target any) bool {
	to, ok := target.(**fault.Error)
	if ok {
		*to = e.public
	}
	return ok
}

// A DetailedError says in a few words what went wrong, and reveals nothing that
// its reader does not know. Errors of Options.Render and of the Client's
// transport may be one, wrapped or not; for any other error this package has
// words of its own.
type DetailedError interface {
	error
	Detail() string
}

// permanent reports an error of the Client's transport that says it will come again
// however often the request is sent: what a policy forbids it forbids the next time too.
func permanent(err error) bool {
	var told interface{ Permanent() bool }
	return errors.As(err, &told) && told.Permanent()
}

// FetchError says why the base page could not be read. Its Err is what the
// client said, so errors.As finds an error of the caller's dialer in it.
type FetchError struct {
	URL    string
	Status int // of the last answer, 0 if there was none
	Err    error
}

// Error says what went wrong, with the address.
func (e *FetchError) Error() string {
	var skip *skipError
	if e.Err != nil && !errors.As(e.Err, &skip) {
		return fmt.Sprintf("llmstxt: fetch %s: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("llmstxt: fetch %s: %s", e.URL, e.Detail())
}

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// As gives a gateway, by errors.As, what its clients may read. The class is that of the
// cause; a site that answers with an error has refused. An internal error of the cause's
// stays one.
func (e *FetchError) As(target any) bool {
	to, ok := target.(**fault.Error)
	if !ok {
		return false
	}
	class, text := failure(e.Err)
	short := text
	switch known := fault.Of(e.Err); {
	case known != nil && known.Class == fault.Internal:
		return false
	case known != nil && known.Class == fault.TargetForbidden, known != nil && !fault.IsTimeout(e.Err):
		class, text, short = known.Class, safetext.Capital(known.Short()), known.Short()
	case fault.IsTimeout(e.Err):
		class = fault.TargetTimeout
	}
	*to = &fault.Error{Class: class, Text: "Failed to fetch page: " + text, Detail: short}
	return true
}

// Detail says in a few words what went wrong, without any address or name that
// the caller did not send: "HTTP 404 Not Found", "Connection timeout".
func (e *FetchError) Detail() string {
	return detail(e.Err)
}

func statusText(code int) string {
	if t := http.StatusText(code); t != "" {
		return fmt.Sprintf("HTTP %d %s", code, t)
	}
	return fmt.Sprintf("HTTP %d", code)
}

// detail is for people who may not see what the network looks like from here.
func detail(err error) string {
	_, text := failure(err)
	return text
}

// failure returns the class of an error of the Client, or of a page's own reason, and
// what detail says of it.
func failure(err error) (fault.Class, string) {
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		cert    x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		op      *net.OpError
		timeout net.Error
		skip    *skipError
		told    DetailedError
	)
	switch {
	case errors.As(err, &skip):
		return fault.TargetRefused, skip.Detail
	case errors.As(err, &told):
		return fault.TargetRefused, told.Detail()
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.TargetUnreachable, "Host not found"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fault.TargetTimeout, "Connection timeout"
	case errors.As(err, &dns):
		return fault.TargetUnreachable, "Host name could not be looked up"
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.TargetUnreachable, "Connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.TargetLost, "Connection lost"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &cert), errors.As(err, &verify):
		return fault.TLSFailed, "TLS certificate not valid"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fault.TLSFailed, "Not a TLS server"
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"): // an alert of crypto/tls
		return fault.TLSFailed, "TLS handshake failed"
	case errors.As(err, &op) && op.Op == "dial":
		return fault.TargetUnreachable, "Connection failed"
	case errors.As(err, &op):
		return fault.TargetLost, "Connection lost"
	}
	return fault.TargetRefused, "Connection failed"
}

// skipError is a page's own reason to be left out, found on the way.
type skipError struct {
	Reason Reason
	Detail string
	lost   bool // the page would be in the result, had the site answered
}

func (e *skipError) Error() string { return string(e.Reason) + ": " + e.Detail }

func isSkip(err error, reason Reason) bool {
	var skip *skipError
	return errors.As(err, &skip) && skip.Reason == reason
}
