// Package s3 keeps hosted files in a bucket of Amazon S3, Cloudflare R2 or any
// server that speaks their protocol.
//
// # The client
//
// The client is minio-go. In size it is about equal to the AWS SDK for Go v2:
// a program that reads and puts one object is built from 243 packages of 20
// modules and is 7.8 MB large with minio-go 7.4, from 262 packages of 13 modules
// and 8.1 MB with the SDK (s3 1.109), and is 5.9 MB with net/http alone. What R2
// needs decided. With an option minio-go sends a body whole, with its SHA-256 in a
// signed header; the SDK's default is a checksum in a trailer of a chunked body,
// which R2 and older servers do not know and each call or configuration has to
// turn off. It uses path style on every host but Amazon's by itself, and signs
// for any region, R2's "auto" among them. What decides whether a file may be
// overwritten is ours: the conditions, and when to try again.
//
// # Newer files stay
//
// The version of a file is in its object's metadata. [Storage.Save] reads it
// (HEAD), gives up with [farwire.ErrStale] when a newer one is there, and writes
// on the condition that nothing has changed since: If-None-Match: * where no
// object was, If-Match with the object's ETag where there was one. When the
// condition fails (412, or 409 on Amazon) it reads again.
//
// An ETag is as a rule the MD5 of the bytes, so writing the same bytes under a
// newer version would leave it as it was, and a stale worker that had read it
// before would find its condition met. Such bytes are therefore uploaded as a
// multipart upload of one part, whose ETag is another one. What is left is a
// worker that sleeps between its look and its write while the same file is saved
// twice, the second time with the very bytes that the worker had seen: nothing
// tells it that they are not the same object, and its older file stays until the
// next one that differs. An ETag that is not a hash, as buckets have that are
// encrypted with KMS, leaves no such gap.
//
// An answer may be lost when the write has happened. Each write carries a random
// id in the metadata, and a worker that finds its own there knows that it was
// done.
//
// # Servers
//
// The server has to honour the conditions on PutObject and on
// CompleteMultipartUpload. Amazon does since November 2024; R2 and versitygw do,
// and newer versions of others. [Storage.Check] tries it on an object of its own
// and refuses a server that does not, because there two gateways could overwrite
// each other without an error.
//
// R2 differs from Amazon in what matters here as follows, and both are dealt
// with. It answers 412 where the object of an If-Match has gone, Amazon 404. It
// allows one write of a key a second and answers 429 to more, after which the
// write is tried again. It knows no bucket policies: its files become public
// through a custom domain of the bucket, which is what Options.PublicURL is for.
package s3

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/farwire/farwire"
)

// Options says where a bucket is and how files are kept in it. Endpoint, Bucket and the two
// keys are required.
type Options struct {
	// Endpoint is the server's address, such as
	// "https://ACCOUNT.r2.cloudflarestorage.com" or "http://127.0.0.1:9000",
	// without a path.
	Endpoint string

	// Bucket has to exist.
	Bucket string

	// AccessKey and SecretKey may read, write and delete the bucket's objects and
	// list the bucket (on Amazon s3:GetObject, s3:PutObject, s3:DeleteObject,
	// s3:ListBucket; without the last a missing object looks like a forbidden one).
	AccessKey, SecretKey string

	// Region is what requests are signed for. Empty: "auto" for R2, the
	// bucket's own for Amazon, "us-east-1" for any other server.
	Region string

	// PublicURL is where the bucket's objects can be read from outside, such as
	// "https://files.example.com": the bucket's custom domain or the CDN before
	// it. Empty: the endpoint and the bucket's name, for buckets that anybody
	// may read.
	PublicURL string

	// Prefix begins the key of every object, such as "farwire/". It is part of
	// the URL, too. Empty: none.
	Prefix string

	// CacheControl is told to readers and caches. Empty: "public, no-cache":
	// kept, and asked about at each use, because files are replaced.
	CacheControl string

	// Timeout is the longest Save, with all its tries. Zero: 30 s.
	Timeout time.Duration

	// RootCAs verifies the server. Nil: the system's roots.
	RootCAs *x509.CertPool
}

// Defaults of [Options].
const (
	DefaultCacheControl = "public, no-cache"
	DefaultTimeout      = 30 * time.Second
)

// ErrUnreachable is wrapped by the errors of a server that gave no answer, or
// none of its own (status 500 and above): it may be back later, whatever is
// asked of it. Any other error means that the server rejected the request.
var ErrUnreachable = errors.New("the server cannot be reached")

const (
	// A request that is not answered after this long is tried again.
	tryTimeout = 10 * time.Second
	// A save gives up after so many requests without an answer, or after so
	// many other writers were quicker.
	maxTransient = 6
	maxConflicts = 100
)

// Storage is a [farwire.Storage] and a [farwire.FileRemover] in a bucket. It is safe for concurrent use, by
// any number of processes.
type Storage struct {
	client    minio.Core
	transport *http.Transport
	o         Options // with defaults
	host      string
	base      string // of URLs; ends with a slash
	checked   atomic.Bool
}

// New returns a storage, or an error that wraps a [FieldError]. It asks nothing of the server: see [Storage.Check]. The caller closes
// the storage.
func New(o Options) (*Storage, error) {
	endpoint, err := o.check()
	if err != nil {
		return nil, err
	}
	// A crawl saves a few files at a time; as many connections stay open.
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: tryTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   tryTimeout,
		ResponseHeaderTimeout: tryTimeout,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   8,
		DisableCompression:    true, // the bytes are hashed as they are stored
		TLSClientConfig:       &tls.Config{RootCAs: o.RootCAs},
	}
	client, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:      credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure:     endpoint.Scheme == "https",
		Transport:  transport,
		Region:     o.Region,
		MaxRetries: 1, // a request that is repeated may find its own write there
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", &FieldError{"Endpoint", err.Error()})
	}
	return &Storage{
		client:    *client,
		transport: transport,
		o:         o,
		host:      endpoint.Host,
		base:      strings.TrimSuffix(o.PublicURL, "/") + "/",
	}, nil
}

// check fills in the defaults, or returns an error that names a field and never
// holds the value of a key.
func (o *Options) check() (*url.URL, error) {
	fail := func(field, format string, args ...any) (*url.URL, error) {
		return nil, fmt.Errorf("s3: %w", &FieldError{field, fmt.Sprintf(format, args...)})
	}
	endpoint, err := url.Parse(o.Endpoint)
	switch {
	case o.Endpoint == "":
		return fail("Endpoint", "missing; give one such as https://ACCOUNT.r2.cloudflarestorage.com")
	case err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "":
		return fail("Endpoint", "not the address of a server; write it with its scheme, such as https://ACCOUNT.r2.cloudflarestorage.com")
	case endpoint.User != nil:
		return fail("Endpoint", "holds a user name; the keys have their own options")
	case strings.Trim(endpoint.Path, "/") != "" || endpoint.RawQuery != "" || endpoint.Fragment != "":
		return fail("Endpoint", "%q follows the host; remove it: the bucket has its own option", strings.TrimPrefix(o.Endpoint, endpoint.Scheme+"://"+endpoint.Host))
	}
	for _, f := range []struct{ name, value string }{{"Bucket", o.Bucket}, {"AccessKey", o.AccessKey}, {"SecretKey", o.SecretKey}} {
		switch {
		case f.value == "":
			return fail(f.name, "missing")
		case strings.ContainsFunc(f.value, func(r rune) bool { return r <= ' ' || r > '~' }):
			return fail(f.name, "holds a space or another invalid character")
		}
	}
	if err := s3utils.CheckValidBucketName(o.Bucket); err != nil {
		return fail("Bucket", "%q is not the name of a bucket: %v", o.Bucket, err)
	}
	if o.PublicURL == "" {
		o.PublicURL = endpoint.Scheme + "://" + endpoint.Host + "/" + o.Bucket
	}
	if u, err := url.Parse(o.PublicURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fail("PublicURL", "%q is not a base URL; write it as https://files.example.com", o.PublicURL)
	}
	if o.Prefix = strings.TrimSuffix(o.Prefix, "/"); o.Prefix != "" {
		if !validName(o.Prefix) {
			return fail("Prefix", "%q does not begin a key; write it as farwire/, of letters, digits, dots, dashes and slashes", o.Prefix)
		}
		o.Prefix += "/"
	}
	if o.Timeout < 0 {
		return fail("Timeout", "%v is negative", o.Timeout)
	}
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.CacheControl = cmp.Or(o.CacheControl, DefaultCacheControl)
	switch {
	case o.Region != "":
	case strings.HasSuffix(endpoint.Hostname(), ".r2.cloudflarestorage.com"):
		o.Region = "auto"
	case s3utils.IsAmazonEndpoint(*endpoint):
		// From the host's name, or else the client asks for the bucket's.
		o.Region = s3utils.GetRegionFromURL(*endpoint)
	default:
		o.Region = "us-east-1"
	}
	return endpoint, nil
}

// Close ends the connections that are idle. What is being saved meanwhile goes
// on.
func (s *Storage) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// String says which bucket it is, for people: no key is in it.
func (s *Storage) String() string { return "bucket " + s.o.Bucket + " at " + s.host }

// Save writes the file, unless a newer version is there, and returns its URL.
// Bytes that are there already under the same version, or of any version when
// File.Version is zero, are not written again. The first Save makes the check of
// [Storage.Check], if nobody has.
//
// Errors wrap [farwire.ErrStale], [ErrUnreachable], the cause of the context's
// end, or, when the server rejected a request, a [FieldError] as a rule. After an error
// the file is the old one or the new one, never a mixture.
func (s *Storage) Save(ctx context.Context, f farwire.File) (string, error) {
	if !validName(f.Name) {
		return "", fmt.Errorf("s3: %q is not the name of a file", f.Name)
	}
	late := fmt.Errorf("%w: not saved within %v", ErrUnreachable, s.o.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, late)
	defer cancel()
	if !s.checked.Load() {
		if err := s.Check(ctx); err != nil {
			return "", err
		}
	}
	key := s.o.Prefix + f.Name
	if err := s.save(ctx, key, f); err != nil {
		return "", fmt.Errorf("s3: saving %s in %v: %w", key, s, err)
	}
	return s.base + key, nil
}

// save reads what is there, writes if that is older, and does both again when
// somebody else wrote in between or no answer came.
func (s *Storage) save(ctx context.Context, key string, f farwire.File) error {
	w := newWrite(f, s.o.CacheControl)
	troubles, conflicts := 0, 0
	quicker := backoff.ExponentialBackOff{InitialInterval: 10 * time.Millisecond, MaxInterval: 100 * time.Millisecond, Multiplier: 1.5, RandomizationFactor: 0.5}
	trouble := backoff.ExponentialBackOff{InitialInterval: 150 * time.Millisecond, MaxInterval: 5 * time.Second, Multiplier: 2, RandomizationFactor: 1. / 3}
	for {
		err := s.try(ctx, key, w)
		var wait time.Duration
		switch {
		case err == nil, errors.Is(err, farwire.ErrStale):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		case isConflict(err):
			if conflicts++; conflicts == maxConflicts {
				return fmt.Errorf("%d times another writer was quicker: %w", conflicts, s.explain(err))
			}
			wait = quicker.NextBackOff()
		case isTransient(err):
			if troubles++; troubles == maxTransient {
				return s.explain(err)
			}
			wait = trouble.NextBackOff()
		default:
			return s.explain(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// writeAgain is after how long the same bytes are written again: how old the files of a crawl
// are decides which are removed first, and a bucket knows no other time than a write's.
const writeAgain = time.Hour

// try does so once.
func (s *Storage) try(ctx context.Context, key string, w *write) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	there, err := s.head(ctx, key)
	switch {
	case err != nil:
		return err
	case there.write == w.id:
		return nil // by a try whose answer was lost
	case w.version != 0 && there.version > w.version:
		return fmt.Errorf("version %d: %w: %d", w.version, farwire.ErrStale, there.version)
	case there.sum == w.sum && (w.version == 0 || there.version == w.version) && time.Since(time.Unix(there.written, 0)) < writeAgain:
		return nil
	}
	if there.etag == w.whole && len(w.body) > 0 {
		return s.putAsPart(ctx, key, w, there)
	}
	return s.put(ctx, key, w, there)
}

// validName reports whether name is what farwire.File.Name may be: relative,
// slash-separated, of safe characters, no part of it hidden. The characters are those of
// InName in internal/safetext, which an adapter does not import.
func validName(name string) bool {
	if len(name) > 512 || !fs.ValidPath(name) || name == "." {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part[0] == '.' || strings.ContainsFunc(part, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-')
		}) {
			return false
		}
	}
	return true
}
