package s3_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/s3"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// options are those of a server's bucket.
func options(server *harness.S3Server) s3.Options {
	return s3.Options{Endpoint: server.Endpoint, Bucket: server.Bucket, AccessKey: server.AccessKey, SecretKey: server.SecretKey}
}

func newStorage(t testing.TB, o s3.Options) *s3.Storage {
	t.Helper()
	s, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustSave(t testing.TB, s farwire.Storage, f farwire.File) string {
	t.Helper()
	url, err := s.Save(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// A reader looks at the bucket with a client of its own.
type reader struct {
	t testing.TB
	*minio.Client
	bucket string
}

func newReader(t testing.TB, server *harness.S3Server) reader {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := minio.New(strings.TrimPrefix(server.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""), Region: "us-east-1", Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return reader{t, client, server.Bucket}
}

func (r reader) get(key string) (string, minio.ObjectInfo) {
	r.t.Helper()
	object, err := r.GetObject(r.t.Context(), r.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer object.Close()
	body, err := io.ReadAll(object)
	if err != nil {
		r.t.Fatal(err)
	}
	info, err := object.Stat()
	if err != nil {
		r.t.Fatal(err)
	}
	return string(body), info
}

func (r reader) version(key string) string {
	r.t.Helper()
	_, info := r.get(key)
	return info.Metadata.Get("X-Amz-Meta-Farwire-Version")
}

func TestSave_NewFile_IsStoredUnderItsURL(t *testing.T) {
	server := harness.S3(t)
	o := options(server)
	o.Prefix, o.PublicURL = "some/where/", "https://files.example.com/public/"
	s, r := newStorage(t, o), newReader(t, server)
	const text = "# Ünicode\n\n> https://example.com/\n"
	url := mustSave(t, s, farwire.File{Name: "llms/a-1.txt", Body: []byte(text), Version: 3})
	if want := "https://files.example.com/public/some/where/llms/a-1.txt"; url != want {
		t.Errorf("its URL is %s, want %s", url, want)
	}
	body, info := r.get("some/where/llms/a-1.txt")
	if body != text {
		t.Errorf("it holds %q", body)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "public, no-cache", "X-Amz-Meta-Farwire-Version": "3",
	} {
		if got := info.Metadata.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	o.Prefix, o.PublicURL, o.CacheControl = "", "", "public, max-age=60"
	s = newStorage(t, o)
	url = mustSave(t, s, farwire.File{Name: "b.md", ContentType: "text/markdown"})
	if want := server.Endpoint + "/" + server.Bucket + "/b.md"; url != want {
		t.Errorf("its URL is %s, want %s", url, want)
	}
	body, info = r.get("b.md")
	if got := info.Metadata.Get("Cache-Control"); body != "" || info.ContentType != "text/markdown" || got != "public, max-age=60" {
		t.Errorf("got %q, %s, %s", body, info.ContentType, got)
	}
}

func TestSave_OlderVersion_IsStale(t *testing.T) {
	server := harness.S3(t)
	s, r := newStorage(t, options(server)), newReader(t, server)
	etags := make(map[string]bool)
	for _, c := range []struct {
		version uint64
		text    string
		stale   bool
		there   string
		stays   string // the version in the metadata
		fresh   bool   // under an ETag that was never seen
	}{
		{5, "five", false, "five", "5", true},
		{4, "four", true, "five", "5", false},
		{5, "five again", false, "five again", "5", true}, // a second try of the same crawl
		{6, "five again", false, "five again", "6", true},
		{5, "five again", true, "five again", "6", false},
		{7, "five again", false, "five again", "7", false}, // an ETag is a hash, of which there are two
		{0, "whatever is there", false, "whatever is there", "7", true},
		{6, "six", true, "whatever is there", "7", false},
		{18446744073709551615, "last", false, "last", "18446744073709551615", true},
		{8, "eight", true, "last", "18446744073709551615", false},
	} {
		_, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte(c.text), Version: c.version})
		if errors.Is(err, farwire.ErrStale) != c.stale || err != nil && !c.stale {
			t.Errorf("version %d: %v", c.version, err)
		}
		body, info := r.get("a.txt")
		if version := info.Metadata.Get("X-Amz-Meta-Farwire-Version"); body != c.there || version != c.stays {
			t.Errorf("after version %d there is %q of version %s, want %q of %s", c.version, body, version, c.there, c.stays)
		}
		if info.ContentType != "text/plain; charset=utf-8" || info.Metadata.Get("Cache-Control") == "" {
			t.Errorf("after version %d it is %s, %s", c.version, info.ContentType, info.Metadata.Get("Cache-Control"))
		}
		if etags[info.ETag] == c.fresh {
			t.Errorf("after version %d its ETag is %s, seen before: %v", c.version, info.ETag, etags[info.ETag])
		}
		etags[info.ETag] = true
	}
}

// What is there under the same version is not written again.
func TestSave_EqualBytes_WritesNothing(t *testing.T) {
	server := harness.S3(t)
	s, r := newStorage(t, options(server)), newReader(t, server)
	for _, version := range []uint64{3, 4} { // as an object, as a part
		mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("same"), Version: version})
		_, first := r.get("a.txt")
		for _, again := range []uint64{version, 0} {
			mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("same"), Version: again})
			if _, info := r.get("a.txt"); info.Metadata.Get("X-Amz-Meta-Farwire-Write") != first.Metadata.Get("X-Amz-Meta-Farwire-Write") {
				t.Errorf("version %d over %d was written again", again, version)
			}
		}
	}
}

// What is there for long is written again, so that it does not look like the oldest of a
// caller's crawls.
func TestSave_EqualBytesOfLongAgo_AreWrittenAgain(t *testing.T) {
	server := harness.S3(t)
	for _, c := range []struct {
		age    time.Duration
		writes int32
	}{{0, 0}, {50 * time.Minute, 0}, {70 * time.Minute, 1}, {1000 * time.Hour, 1}} {
		for _, version := range []uint64{0, 1, 7} {
			m := newMiddle(t, server)
			m.age = c.age
			s := m.through(t, server)
			f := farwire.File{Name: fmt.Sprintf("%d/%d.txt", int(c.age.Minutes()), version), Body: []byte("same"), Version: version}
			mustSave(t, s, f)
			m.writes.Store(0)
			mustSave(t, s, f)
			if got := m.writes.Load(); got != c.writes {
				t.Errorf("version %d of %v ago: %d writes, want %d", version, c.age, got, c.writes)
			}
		}
	}
}

// An object that others put there is the oldest there is, and one whose version
// cannot be read is left alone.
func TestSave_ForeignObject_IsTheOldest(t *testing.T) {
	server := harness.S3(t)
	s, r := newStorage(t, options(server)), newReader(t, server)
	put := func(meta map[string]string) {
		t.Helper()
		_, err := r.PutObject(t.Context(), r.bucket, "a.txt", strings.NewReader("theirs"), 6, minio.PutObjectOptions{UserMetadata: meta})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(nil)
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("theirs"), Version: 1})
	if body, _ := r.get("a.txt"); body != "theirs" || r.version("a.txt") != "1" {
		t.Errorf("there is %q of version %s", body, r.version("a.txt"))
	}
	put(map[string]string{"farwire-version": "many"})
	if _, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte("ours"), Version: 1}); err == nil || !strings.Contains(err.Error(), "not a number") {
		t.Errorf("got %v", err)
	}
	if body, _ := r.get("a.txt"); body != "theirs" {
		t.Errorf("there is %q", body)
	}
}

func TestSave_BadName_IsRefused(t *testing.T) {
	server := harness.S3(t)
	s := newStorage(t, options(server))
	for _, name := range []string{
		"", ".", "..", "../a.txt", "/a.txt", "a//b.txt", "a/", "a/./b.txt", "a/../b.txt", ".hidden", "a/.hidden", ".farwire-check",
		`a\b.txt`, "a b.txt", "ä.txt", "a.txt\x00", "a?b", "a%2fb", strings.Repeat("a/", 300) + "a",
	} {
		if url, err := s.Save(t.Context(), farwire.File{Name: name, Body: []byte("x")}); err == nil {
			t.Errorf("%q was saved as %s", name, url)
		}
	}
}

func TestNew_BadOptions_NamesTheField(t *testing.T) {
	good := s3.Options{Endpoint: "https://s3.example.com", Bucket: "files", AccessKey: "access", SecretKey: "very-secret"}
	for _, c := range []struct {
		change func(*s3.Options)
		want   string // separated by |
	}{
		{func(o *s3.Options) { o.Endpoint = "" }, "Endpoint|missing"},
		{func(o *s3.Options) { o.Endpoint = "s3.example.com" }, "Endpoint|scheme"},
		{func(o *s3.Options) { o.Endpoint = "s3.example.com:9000" }, "Endpoint|scheme"},
		{func(o *s3.Options) { o.Endpoint = "ftp://s3.example.com" }, "Endpoint|scheme"},
		{func(o *s3.Options) { o.Endpoint = "https://" }, "Endpoint|scheme"},
		{func(o *s3.Options) { o.Endpoint = "https://s3.example.com/files" }, "Endpoint|/files|bucket"},
		{func(o *s3.Options) { o.Endpoint = "https://s3.example.com/?a=b" }, "Endpoint|follows"},
		{func(o *s3.Options) { o.Endpoint = "https://access:very-secret@s3.example.com" }, "Endpoint|user name"},
		{func(o *s3.Options) { o.Endpoint = "https://access:very-secret@s3.exa mple.com" }, "Endpoint"},
		{func(o *s3.Options) { o.Bucket = "" }, "Bucket|missing"},
		{func(o *s3.Options) { o.Bucket = "a/b" }, "Bucket|a/b"},
		{func(o *s3.Options) { o.AccessKey = "" }, "AccessKey|missing"},
		{func(o *s3.Options) { o.AccessKey = "access\n" }, "AccessKey|space"},
		{func(o *s3.Options) { o.SecretKey = "" }, "SecretKey|missing"},
		{func(o *s3.Options) { o.SecretKey = "very-secret " }, "SecretKey|space"},
		{func(o *s3.Options) { o.PublicURL = "files.example.com" }, "PublicURL|files.example.com|https://"},
		{func(o *s3.Options) { o.PublicURL = "https://files.example.com/?a" }, "PublicURL|https://"},
		{func(o *s3.Options) { o.Prefix = "/a" }, "Prefix|/a"},
		{func(o *s3.Options) { o.Prefix = "a b/" }, "Prefix|a b"},
		{func(o *s3.Options) { o.Timeout = -1 }, "Timeout|negative"},
	} {
		o := good
		c.change(&o)
		s, err := s3.New(o)
		if err == nil {
			s.Close()
			t.Errorf("%s: %s@%s is fine", c.want, o.Bucket, o.Endpoint)
			continue
		}
		for want := range strings.SplitSeq("s3: Options."+c.want, "|") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%q gives the secret away", err)
		}
	}
	s := newStorage(t, good)
	if text := fmt.Sprint(s); text != "bucket files at s3.example.com" {
		t.Errorf("it is %s", text)
	}
}
