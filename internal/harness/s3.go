package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// versitygw is the version that scripts/deps installs.
const versitygw = "v1.8.0"

// An S3Server speaks the S3 protocol and keeps its objects in a folder.
type S3Server struct {
	*Server
	Endpoint             string // http://host:port
	Bucket               string // is there
	AccessKey, SecretKey string
}

// S3 starts an S3 server, versitygw, with one empty bucket.
func S3(t testing.TB) *S3Server {
	t.Helper()
	versity := versityPath(t)
	s := &S3Server{Bucket: "files", AccessKey: "an-access-key", SecretKey: "a-secret-key-of-the-tests"}
	dir := t.TempDir()
	// A bucket is a folder, and metadata its files' extended attributes. Where
	// the file system has none they go into another folder, and a reader may see the
	// metadata of one object with the bytes of another.
	root, meta, iam := filepath.Join(dir, "root"), filepath.Join(dir, "meta"), filepath.Join(dir, "iam")
	for _, folder := range []string{filepath.Join(root, s.Bucket), meta, iam} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	backend := []string{"posix", root}
	if !hasAttributes(root) {
		backend = []string{"posix", "--sidecar", meta, root}
	}
	addr := FreeAddr(t)
	s.Endpoint = "http://" + addr
	command := func() *exec.Cmd {
		cmd := exec.Command(versity, append([]string{"--port", addr, "--quiet", "--iam-dir", iam, "--iam-cache-disable"}, backend...)...)
		cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey, "HOME=" + dir}
		return cmd
	}
	s.Server = start(t, addr, command, func() error { return answers(addr) })
	return s
}

// AddKey lets the server accept another access key, which may do everything.
func (s *S3Server) AddKey(access, secret string) {
	s.t.Helper()
	s.admin("create-user", "--access", access, "--secret", secret, "--role", "admin")
}

// RemoveKey takes back a key of AddKey's.
func (s *S3Server) RemoveKey(access string) {
	s.t.Helper()
	s.admin("delete-user", "--access", access)
}

func (s *S3Server) admin(args ...string) {
	s.t.Helper()
	cmd := exec.Command(versityPath(s.t), append([]string{"admin", "--access", s.AccessKey, "--secret", s.SecretKey, "--endpoint-url", s.Endpoint}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("versitygw admin %s: %v\n%s", args[0], err, out)
	}
}

func versityPath(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "farwire", "versitygw-"+versitygw, "versitygw")
}
