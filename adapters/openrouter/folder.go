package openrouter

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// FolderCache keeps answers as files, which outlive the process. Make one with
// Folder. It is safe for concurrent use, and several processes may share a folder.
//
// A file begins with the SHA-256 of what follows, so that a file that a crash cut short
// counts as missing. A file is written under another name and renamed. The files that were
// unused for the longest time are removed first, by their time of change, which Get renews.
type FolderCache struct {
	root *os.Root
	most int64

	mu   sync.Mutex
	size int64 // at the last look, and what was put since
	news int64 // put since the last look
}

const (
	answerSuffix = ".answer"
	asideSuffix  = ".tmp"
	asideAge     = time.Hour // by then whoever wrote it has died
)

// Folder returns a Cache in a folder, which it makes for its owner alone if it
// is not there, with about so many bytes at most; zero or less: 256 MiB. The caller closes it.
func Folder(dir string, bytes int64) (*FolderCache, error) {
	if bytes <= 0 {
		bytes = 256 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("openrouter: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("openrouter: %w", err)
	}
	c := &FolderCache{root: root, most: bytes}
	if err := c.sweep(); err != nil {
		return nil, fmt.Errorf("openrouter: %w", errors.Join(err, root.Close()))
	}
	return c, nil
}

// Close releases the folder. Nothing may be called after it.
func (c *FolderCache) Close() error { return c.root.Close() }

// Get implements Cache.
func (c *FolderCache) Get(_ context.Context, key string) (string, bool, error) {
	name, err := answerName(key)
	if err != nil {
		return "", false, err
	}
	text, err := c.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	sum, answer, _ := strings.Cut(string(text), "\n")
	if sum != checksum(answer) {
		return "", false, ignoreGone(c.root.Remove(name))
	}
	now := time.Now()
	return answer, true, ignoreGone(c.root.Chtimes(name, now, now))
}

// Put implements Cache. An answer larger than the cache is not kept.
func (c *FolderCache) Put(_ context.Context, key, answer string) error {
	name, err := answerName(key)
	if err != nil {
		return err
	}
	text := checksum(answer) + "\n" + answer
	if int64(len(text)) > c.most {
		return nil
	}
	aside := key + "-" + rand.Text() + asideSuffix
	if err := c.root.WriteFile(aside, []byte(text), 0o600); err != nil {
		return errors.Join(err, ignoreGone(c.root.Remove(aside)))
	}
	if err := c.root.Rename(aside, name); err != nil {
		return errors.Join(err, ignoreGone(c.root.Remove(aside)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size += int64(len(text))
	c.news += int64(len(text))
	// Others may have put files here; a look now and then keeps count.
	if c.size > c.most || c.news > c.most/16 {
		return c.sweep()
	}
	return nil
}

// sweep looks at the folder, and makes room when it holds too much.
func (c *FolderCache) sweep() error {
	dir, err := c.root.Open(".")
	if err != nil {
		return err
	}
	entries, err := dir.ReadDir(-1)
	if err := errors.Join(err, dir.Close()); err != nil {
		return err
	}
	var files []fs.FileInfo
	c.size, c.news = 0, 0
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist): // another process has swept
		case err != nil:
			return err
		case !info.Mode().IsRegular():
		case strings.HasSuffix(e.Name(), asideSuffix) && time.Since(info.ModTime()) > asideAge:
			if err := ignoreGone(c.root.Remove(e.Name())); err != nil {
				return err
			}
		case strings.HasSuffix(e.Name(), answerSuffix):
			files = append(files, info)
			c.size += info.Size()
		}
	}
	if c.size <= c.most {
		return nil
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if c.size <= c.most-c.most/8 {
			break
		}
		if err := ignoreGone(c.root.Remove(f.Name())); err != nil {
			return err
		}
		c.size -= f.Size()
	}
	return nil
}

// answerName is the file of a key, which must be one of ours.
func answerName(key string) (string, error) {
	if b, err := hex.DecodeString(key); err != nil || len(b) != sha256.Size {
		return "", errors.New("not a key of the cache")
	}
	return key + answerSuffix, nil
}

func checksum(answer string) string {
	sum := sha256.Sum256([]byte(answer))
	return hex.EncodeToString(sum[:])
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
