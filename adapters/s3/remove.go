package s3

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/farwire/farwire"
)

var _ farwire.FileRemover = (*Storage)(nil)

// Files returns the files below a folder. A folder whose name no file could have is an
// error, and so is a list that the bucket does not give to its end.
func (s *Storage) Files(ctx context.Context, folder string) ([]farwire.StoredFile, error) {
	if !validName(folder) {
		return nil, fmt.Errorf("s3: %q is not the name of a folder", folder)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop() // the list's end, also when it is not read to its end
	var files []farwire.StoredFile
	for o := range s.objects(ctx, folder) {
		if o.Err != nil {
			return nil, fmt.Errorf("s3: listing %s in %v: %w", folder, s, s.explain(o.Err))
		}
		files = append(files, farwire.StoredFile{Name: strings.TrimPrefix(o.Key, s.o.Prefix), Size: o.Size, Modified: o.LastModified})
	}
	return files, ctx.Err()
}

func (s *Storage) objects(ctx context.Context, folder string) <-chan minio.ObjectInfo {
	return s.client.Client.ListObjects(ctx, s.o.Bucket, minio.ListObjectsOptions{Prefix: s.o.Prefix + folder + "/", Recursive: true})
}

// Remove removes all files below a folder, a thousand in one request. It goes on after a
// file that cannot be removed, and returns the first such error.
func (s *Storage) Remove(ctx context.Context, folder string) error {
	files, err := s.Files(ctx, folder)
	if err != nil || len(files) == 0 {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	names := make(chan minio.ObjectInfo)
	go func() {
		defer close(names)
		for _, f := range files {
			select {
			case names <- minio.ObjectInfo{Key: s.o.Prefix + f.Name}:
			case <-ctx.Done():
				return
			}
		}
	}()
	var failed error
	for e := range s.client.Client.RemoveObjects(ctx, s.o.Bucket, names, minio.RemoveObjectsOptions{}) {
		failed = cmp.Or(failed, e.Err)
	}
	if failed != nil {
		return fmt.Errorf("s3: removing %s in %v: %w", folder, s, s.explain(failed))
	}
	return ctx.Err()
}
