package s3

import (
	"context"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/farwire/farwire"
)

// checkName is the object that Check writes, below the prefix, and leaves
// there: deleting takes a permission that saving does not need. No file has its
// name, because parts of theirs do not begin with a dot.
const checkName = ".farwire-check"

// Check reports whether files can be saved: whether the server answers, knows
// the keys and the bucket, lets them read and write, keeps metadata, and honours
// conditional writes. It writes one small object below the prefix,
// ".farwire-check".
//
// The error wraps [ErrUnreachable] when the server gave no answer, so that a
// program may start all the same: Save makes up for the check. Any other error,
// a [FieldError] as a rule, is for who configured it.
func (s *Storage) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	if err := s.check(ctx); err != nil {
		return fmt.Errorf("s3: %v: %w", s, err)
	}
	s.checked.Store(true)
	return nil
}

func (s *Storage) check(ctx context.Context) error {
	key := s.o.Prefix + checkName
	w := newWrite(farwire.File{Body: []byte("farwire tries conditional writes on this object\n"), Version: 1}, s.o.CacheControl)
	nothing, missing := s.head(ctx, key+"-none")
	// The object exists now, whether this request or an earlier one made it. The
	// answer to this request says more than the one to HEAD, which has no body; but a server that wants TLS
	// may cut the connection before its answer is read.
	if err := s.put(ctx, key, w, object{}); err != nil && !isUnmet(err) {
		if minio.ToErrorResponse(err).StatusCode == 0 && minio.ToErrorResponse(missing).StatusCode != 0 {
			err = missing
		}
		return s.explain(err)
	}
	switch {
	case missing != nil: // Amazon says 403 where listing is forbidden
		return s.explain(missing)
	case nothing != (object{}):
		return &FieldError{"Endpoint", "the server shows an object that does not exist"}
	}
	there, err := s.head(ctx, key)
	if err != nil {
		return s.explain(err)
	}
	if there.version == 0 {
		return &FieldError{"Endpoint", "the server does not keep the metadata of an object"}
	}
	another := object{etag: "00000000000000000000000000000000"}
	for _, c := range []struct {
		operation, condition string
		there                object
		put                  func(context.Context, string, *write, object) error
	}{
		{"PutObject", "If-None-Match: *", object{}, s.put},
		{"PutObject", "If-Match", another, s.put},
		{"CompleteMultipartUpload", "If-Match", another, s.putAsPart},
	} {
		err := c.put(ctx, key, w, c.there)
		switch {
		case isUnmet(err):
		case err == nil, minio.ToErrorResponse(err).StatusCode == http.StatusNotImplemented:
			return &FieldError{"Endpoint", fmt.Sprintf("the server does not honour %s on %s, so that two gateways could overwrite each other's files; use one that does",
				c.condition, c.operation)}
		default:
			return s.explain(err)
		}
	}
	return nil
}
