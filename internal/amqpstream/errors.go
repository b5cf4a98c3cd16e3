package amqpstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"unicode"

	"github.com/farwire/farwire/internal/amqpwire"
	"github.com/farwire/farwire/internal/fault"
)

// Reply codes of the specification, section 1.2, that are told apart.
const (
	connectionForced = 320
	accessRefused    = 403
	notFound         = 404
	resourceError    = 506
	notAllowed       = 530
	internalError    = 541
)

// refusal words the reason that a broker gave for closing while the subscription
// was set up; err says what was being done.
func refusal(why amqpwire.Reason, err error, sub *Subscription) error {
	text := withoutSecret(brokersText(why), sub.secret())
	var binding *bindingError
	switch bound := errors.As(err, &binding); {
	case why.Code == notFound && bound && strings.Contains(text, "no exchange"):
		return fault.Newf(fault.TargetRefused, "exchange %q not found", fault.Clip(binding.binding.Exchange))
	case why.Code == notFound && sub.Queue != "" && strings.Contains(text, "no queue"):
		return fault.Newf(fault.TargetRefused, "queue %q not found", fault.Clip(sub.Queue))
	case why.Code == notAllowed && strings.HasPrefix(text, "vhost "):
		return fault.Newf(fault.TargetRefused, "virtual host %q not found", fault.Clip(sub.VirtualHost))
	case isTransient(why.Code):
		return fault.New(fault.TargetLost, closingText(why, text))
	}
	return fault.New(fault.TargetRefused, closingText(why, text))
}

// closing words the reason that a broker gave for ending a consumer. Permissions
// may have changed; any other end says nothing about the next consumer.
func closing(why amqpwire.Reason, secret string) error {
	class := fault.TargetLost
	if why.Code == accessRefused || why.Code == notAllowed {
		class = fault.TargetRefused
	}
	return fault.New(class, closingText(why, withoutSecret(brokersText(why), secret)))
}

func isTransient(code int) bool {
	return code == connectionForced || code == resourceError || code == internalError
}

func closingText(why amqpwire.Reason, text string) string {
	switch why.Code {
	case notAllowed, accessRefused:
		return "no permission: " + text
	case connectionForced:
		return "the broker is shutting down or its operator closed the connection"
	}
	return fmt.Sprintf("the broker refused: %d %s", why.Code, text)
}

// brokersText is what a broker wrote, 255 bytes at most, without the name of its
// code and without what could play tricks in a log or a terminal.
func brokersText(why amqpwire.Reason) string {
	text := printable(why.Text)
	if _, after, ok := strings.Cut(text, " - "); ok {
		return after
	}
	return text
}

// printable leaves out characters that are not printable.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// secret returns the user name where it is all of the login.
func (s *Subscription) secret() string {
	if s.Password != "" {
		return ""
	}
	return printable(s.Username)
}

// withoutSecret takes a secret out of a broker's text, which may end within it.
func withoutSecret(text, secret string) string {
	if secret == "" {
		return text
	}
	const mark, short = "***", 4
	if len(secret) < short {
		// Taken out of every word, it could be read from what is left.
		return "(the broker's text is left out, because it may hold the user name)"
	}
	text = strings.ReplaceAll(text, secret, mark)
	for n := min(len(secret), len(text)); n >= short; n-- {
		if strings.HasSuffix(text, secret[:n]) {
			return text[:len(text)-n] + mark
		}
	}
	return text
}

// loss words the end of a connection, or what is wrong with what came through
// it.
func loss(err error) error {
	var (
		version amqpwire.VersionError
		format  amqpwire.FormatError
		op      *net.OpError
		timeout interface{ Timeout() bool }
	)
	switch {
	case fault.Of(err) != nil:
		return err
	case errors.Is(err, amqpwire.ErrTLS):
		return fault.New(fault.TLSFailed, "the broker speaks TLS on this port; did you mean ssl: true?")
	case errors.Is(err, amqpwire.ErrOther):
		return fault.New(fault.TargetRefused, "the target does not speak AMQP 0-9-1")
	case errors.As(err, &version), errors.As(err, &format):
		return fault.New(fault.TargetRefused, err.Error())
	case errors.As(err, &op) && op.Op == "remote error":
		// TLS 1.3 lets a broker refuse a certificate after the handshake.
		return fault.Wrap(fault.TLSFailed, "TLS: "+alertText(op.Err), err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fault.Wrap(fault.TargetLost, "the broker stopped answering", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(fault.TargetLost, "the broker closed the connection", err)
	case errors.As(err, &op), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return fault.Wrap(fault.TargetLost, "connection to the broker lost", err)
	}
	return fmt.Errorf("broker: %w", err)
}
