package farwire

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// secretsFolder is never served: its name begins with a dot.
const secretsFolder = ".secrets"

// Secret implements [SecretKeeper]: it is a file in a folder of its own, which is
// not served.
func (s *FolderStorage) Secret(ctx context.Context, name string) (secret []byte, err error) {
	if !validFileName(name) || strings.Contains(name, "/") {
		return nil, fmt.Errorf("farwire: %q is not the name of a secret", name)
	}
	if err := s.root.MkdirAll(secretsFolder, 0o700); err != nil {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	file := path.Join(secretsFolder, name)
	unlock, err := s.lock(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	secret, err = s.root.ReadFile(file)
	if err == nil && len(secret) >= sha256.Size {
		return bytes.Clone(secret), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	// One that is shorter was left by a process that ended while it wrote.
	secret = make([]byte, sha256.Size)
	rand.Read(secret) // never fails
	if err := s.writeAs(file, secret, 0o600); err != nil {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	return secret, s.syncDir(secretsFolder)
}

// Files implements [FileRemover].
func (s *FolderStorage) Files(ctx context.Context, folder string) (files []StoredFile, err error) {
	if !validFileName(folder) {
		return nil, fmt.Errorf("farwire: %q is not the name of a folder", folder)
	}
	err = fs.WalkDir(s.root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), "."), !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			files = append(files, StoredFile{name, info.Size(), info.ModTime()})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("farwire: listing %s: %w", folder, err)
	}
	return files, nil
}

// Remove implements [FileRemover]. The versions of the files go with them.
func (s *FolderStorage) Remove(ctx context.Context, folder string) error {
	if !validFileName(folder) {
		return fmt.Errorf("farwire: %q is not the name of a folder", folder)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.root.RemoveAll(folder); err != nil {
		return fmt.Errorf("farwire: removing %s: %w", folder, err)
	}
	if err := s.syncDir(path.Dir(folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("farwire: removing %s: %w", folder, err)
	}
	return nil
}
