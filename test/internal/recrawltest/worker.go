package recrawltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/agent"
)

// WorkerVariable is set in the environment of a worker. A program whose main
// finds it set calls Work and nothing else.
const WorkerVariable = "RECRAWLTEST_WORKER"

// task is what a worker is told in WorkerVariable, as JSON.
type task struct {
	Database, Folder string
	Sites            int // at a time
	Lease, Poll      time.Duration
}

// Work is one gateway that recrawls until it is told to stop.
func Work() error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	var t task
	if err := json.Unmarshal([]byte(os.Getenv(WorkerVariable)), &t); err != nil {
		return fmt.Errorf("%s: %w", WorkerVariable, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var store *sqlstore.Store
	for { // the database may be outage just now
		var err error
		if store, err = sqlstore.Open(ctx, t.Database); err == nil {
			break
		}
		slog.Info("not open yet", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	defer store.Close()
	files, err := farwire.NewFolderStorage(t.Folder, filesURL)
	if err != nil {
		return err
	}
	defer files.Close()
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		return err
	}
	gw, err := farwire.New(farwire.Options{
		Agents: exit, Sites: announcing{store}, Storage: files,
		Recrawl: farwire.RecrawlOptions{Workers: t.Sites, Lease: t.Lease, Poll: t.Poll},
	})
	if err != nil {
		return err
	}
	slog.Info("working")
	err = gw.Recrawl(ctx)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, gw.Shutdown(ctx))
}

// announcing says of each claim that it was made, so that it can be disturbed.
type announcing struct{ *sqlstore.Store }

func (t announcing) Claim(ctx context.Context, d time.Duration) (farwire.Lease, error) {
	l, err := t.Store.Claim(ctx, d)
	if err == nil {
		slog.Info("claimed", "site", l.Site.BaseURL, "token", l.Token)
	}
	return l, err
}

// filesURL is where the files would be read if anybody served them.
const filesURL = "https://files.test/"
