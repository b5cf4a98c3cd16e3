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
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	versity := filepath.Join(cache, "farwire", "versitygw-"+versitygw, "versitygw")
	s := &S3Server{Bucket: "files", AccessKey: "an-access-key", SecretKey: "a-secret-key-of-the-tests"}
	dir := t.TempDir()
	// A bucket is a folder, and metadata its files' extended attributes. Where
	// the file system has none they go into another folder, and a reader may see the
	// metadata of one object with the bytes of another.
	root, meta := filepath.Join(dir, "root"), filepath.Join(dir, "meta")
	for _, folder := range []string{filepath.Join(root, s.Bucket), meta} {
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
		cmd := exec.Command(versity, append([]string{"--port", addr, "--quiet"}, backend...)...)
		cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey, "HOME=" + dir}
		return cmd
	}
	s.Server = start(t, addr, command, func() error { return answers(addr) })
	return s
}
