package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
)

// errConcurrentWrite is the error of a look that saw parts of two objects.
var errConcurrentWrite = errors.New("another writer's object was being put there")

// isConflict reports whether another writer came in between: the condition of a
// write was not met, or what it was to replace has gone.
func isConflict(err error) bool {
	answer := minio.ToErrorResponse(err)
	gone := answer.StatusCode == http.StatusNotFound && (answer.Code == minio.NoSuchKey || answer.Code == minio.NoSuchUpload)
	return gone || isUnmet(err) || errors.Is(err, errConcurrentWrite)
}

// isUnmet reports whether the server says that a condition is not met. Amazon
// says 409 when another write is under way.
func isUnmet(err error) bool {
	status := minio.ToErrorResponse(err).StatusCode
	return status == http.StatusPreconditionFailed || status == http.StatusConflict
}

// isTransient reports whether the server gave no answer, or none of its own, so
// that trying again may help.
func isTransient(err error) bool {
	if status := minio.ToErrorResponse(err).StatusCode; status != 0 {
		return status >= 500 && status != http.StatusNotImplemented ||
			status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
	}
	var request *url.Error
	var connection *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate), isNotTLS(err):
		return false
	case errors.As(err, &request), errors.As(err, &connection): // the latter in the midst of an answer
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF)
}

// isNotTLS reports whether TLS was answered without it.
func isNotTLS(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// A FieldError says which field of [Options] must change, because it is not
// valid or because the server rejects it.
type FieldError struct {
	Field  string // its name
	Reason string // one line; never the value of a key
}

// Error begins with the name of the field.
func (e *FieldError) Error() string { return "Options." + e.Field + ": " + e.Reason }

// explain says what the server's answer, or the lack of one, means for who
// configured it. The text never holds the secret key, whatever the server says.
func (s *Storage) explain(err error) error {
	answer := minio.ToErrorResponse(err)
	if answer.StatusCode == 0 {
		return s.unanswered(err)
	}
	if isTransient(err) {
		return fmt.Errorf("%w: it answered %s", ErrUnreachable, s.answer(answer))
	}
	field, reason := "Endpoint", "the server refused, or is not an S3 server"
	switch answer.Code {
	case minio.InvalidAccessKeyID, "XAdminUserNotFound": // the latter of versitygw
		field, reason = "AccessKey", "the server does not know it"
	case minio.SignatureDoesNotMatch:
		field, reason = "SecretKey", "it is not the access key's"
	case minio.AccessDenied, "Unauthorized":
		field, reason = "AccessKey", "it may not read and write objects here and list the bucket"
	case minio.NoSuchBucket:
		field, reason = "Bucket", "there is no such bucket"
	case "AuthorizationHeaderMalformed", minio.InvalidRegion, "PermanentRedirect", "IncorrectEndpoint":
		field, reason = "Region", "it is another one"
		if answer.Region != "" {
			reason += ", " + answer.Region
		}
	case "RequestTimeTooSkewed":
		return fmt.Errorf("the clock of this machine is wrong (it answered %s)", s.answer(answer))
	default:
		switch {
		case answer.StatusCode == http.StatusBadRequest && s.client.EndpointURL().Scheme == "http":
			reason = "if it speaks TLS, write it with https://"
		case answer.StatusCode == http.StatusNotImplemented:
			reason = "the server does not know what is asked of it"
		}
	}
	return &FieldError{field, fmt.Sprintf("%s (%s answered %s)", reason, s.host, s.answer(answer))}
}

// unanswered explains the error of a connection.
func (s *Storage) unanswered(err error) error {
	var certificate *tls.CertificateVerificationError
	switch {
	case isNotTLS(err):
		return &FieldError{"Endpoint", "the server does not speak TLS; write it with http://, or with the port that does"}
	case errors.As(err, &certificate):
		return &FieldError{"Endpoint", fmt.Sprintf("this machine does not trust the server: %v", certificate)}
	case isTransient(err):
		var request *url.Error // its text repeats the URL
		if errors.As(err, &request) {
			err = request.Err
		}
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// answer is what the server said, in one short line. The secret is replaced before
// the line is cut: of one that the cut divides, the first part would stay.
func (s *Storage) answer(a minio.ErrorResponse) string {
	text := fmt.Sprintf("%d %s: %s", a.StatusCode, a.Code, a.Message)
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), s.o.SecretKey, "…")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
