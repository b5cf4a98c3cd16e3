package harness

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// PostgresPassword is the password of the superuser of the servers that
// Postgres starts. A URL or a message that has not escaped it shows.
const PostgresPassword = "s3cret/p@ss:w?rd"

// Postgres starts a PostgreSQL server with an empty database. The server's URL
// is one of the superuser, with a password. It does not sync its files, so a
// crash of the machine would harm them; an end of the server does not.
func Postgres(t testing.TB) *Server {
	t.Helper()
	bin := postgresBin(t)
	// A folder that the test makes is closed to the user that the server runs as.
	dir, err := os.MkdirTemp("", "farwire-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	as := postgresUser(t, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(PostgresPassword+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "farwire",
		"--auth", "scram-sha-256", "--pwfile", password, "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir = dir
	runAs(initdb, as)
	if said, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, said)
	}

	addr := FreeAddr(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Addr: addr,
		URL: (&url.URL{
			Scheme: "postgres", User: url.UserPassword("farwire", PostgresPassword), Host: addr,
			Path: "/postgres", RawQuery: "sslmode=disable",
		}).String(),
		t: t,
		command: func() *exec.Cmd {
			cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", host, "-p", port, "-k", dir,
				"-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=128MB")
			cmd.Dir = dir
			runAs(cmd, as)
			return cmd
		},
		ready: func() error { return acceptsPostgres(addr) },
		stop:  syscall.SIGINT, // SIGTERM would wait for the clients to leave
	}
	t.Cleanup(func() { s.end(syscall.SIGQUIT) }) // at once, and it waits for its children
	s.Start()
	return s
}

// postgresBin returns the folder of the newest PostgreSQL.
func postgresBin(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian keeps them off the PATH
	if err != nil {
		t.Fatal(err)
	}
	version := func(name string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(name)))) // what is no number is old
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	name, err := exec.LookPath("initdb")
	if err != nil {
		t.Fatalf("%v; scripts/deps installs what the tests need", err)
	}
	return filepath.Dir(name)
}

// An account is a user of this machine.
type account struct{ uid, gid uint32 }

// postgresUser returns whom the server runs as, which may not be root, and
// gives the folder to that user; nil is who we are.
func postgresUser(t testing.TB, dir string) *account {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("%v; PostgreSQL does not run as root", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	return &account{uint32(uid), uint32(gid)}
}

// acceptsPostgres reports whether the server takes sessions; it listens some
// time before. It asks for one, and the answer is then a request for a password
// and not an error.
func acceptsPostgres(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return fmt.Errorf("not up yet: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	const who = "user\x00farwire\x00\x00"
	startup := binary.BigEndian.AppendUint32(nil, uint32(8+len(who)))
	startup = binary.BigEndian.AppendUint32(startup, 3<<16) // version 3.0 of the protocol
	if _, err := conn.Write(append(startup, who...)); err != nil {
		return fmt.Errorf("not up yet: %w", err)
	}
	answer := make([]byte, 1)
	if _, err := conn.Read(answer); err != nil {
		return fmt.Errorf("not up yet: %w", err)
	}
	if answer[0] != 'R' {
		return fmt.Errorf("not up yet: it answered %q", answer)
	}
	return nil
}
