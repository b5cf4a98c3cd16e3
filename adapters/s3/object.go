package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/farwire/farwire"
)

// Names of an object's metadata.
const (
	metaVersion = "farwire-version" // decimal
	metaWrite   = "farwire-write"   // who wrote it: the random id of one Save
	metaSum     = "farwire-sha256"  // of the bytes, because an ETag need not be a hash of them
	metaETag    = "farwire-etag"    // what the ETag will be, unless the server makes it otherwise
)

// An object is what is stored under a key. The zero value means that there is no object.
type object struct {
	etag    string // without quotes; empty: there is no object
	version uint64
	write   string
	sum     string
	foreign bool  // its metadata promises another ETag
	written int64 // when, in seconds of Unix time by the server's clock
}

// head reads what is there. A server that keeps objects in a file system may
// read the metadata of one and the ETag of the next; what looks so has to look
// the same once more.
func (s *Storage) head(ctx context.Context, key string) (object, error) {
	o, err := s.stat(ctx, key)
	if err != nil || !o.foreign {
		return o, err
	}
	again, err := s.stat(ctx, key)
	if err == nil && again != o {
		err = errConcurrentWrite
	}
	return again, err
}

func (s *Storage) stat(ctx context.Context, key string) (object, error) {
	info, err := s.client.StatObject(ctx, s.o.Bucket, key, minio.StatObjectOptions{})
	if err != nil {
		if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
			return object{}, nil // or no bucket: the write will tell
		}
		return object{}, err
	}
	meta := func(name string) string { return info.Metadata.Get("X-Amz-Meta-" + name) }
	o := object{etag: strings.Trim(info.ETag, `"`), write: meta(metaWrite), sum: meta(metaSum), written: info.LastModified.Unix()}
	if o.etag == "" {
		return object{}, fmt.Errorf("the server gives %s no ETag, which conditional writes need", key)
	}
	promised := meta(metaETag)
	o.foreign = promised != "" && promised != o.etag
	// An object that somebody put there without a version is the oldest.
	if text := meta(metaVersion); text != "" {
		if o.version, err = strconv.ParseUint(text, 10, 64); err != nil {
			return object{}, fmt.Errorf("the version of %s is not a number: %w", key, err)
		}
	}
	return o, nil
}

// A write is one Save: the same bytes and the same id at every try.
type write struct {
	body        []byte
	version     uint64
	id          string
	sum         string // SHA-256 of the body, lower-case hex
	whole, part string // its ETag when it is put, and when it is uploaded as one part
	options     minio.PutObjectOptions
}

func newWrite(f farwire.File, cacheControl string) *write {
	sum, whole := sha256.Sum256(f.Body), md5.Sum(f.Body)
	part := md5.Sum(whole[:])
	return &write{
		body:    f.Body,
		version: f.Version,
		id:      rand.Text(),
		sum:     hex.EncodeToString(sum[:]),
		whole:   hex.EncodeToString(whole[:]),
		part:    hex.EncodeToString(part[:]) + "-1",
		options: minio.PutObjectOptions{
			ContentType:  cmp.Or(f.ContentType, "text/plain; charset=utf-8"),
			CacheControl: cacheControl,
			// The hash of the whole body is signed, with no chunks and no trailer.
			DisableContentSha256: true,
		},
	}
}

// over returns the options of an object that takes the place of what is there.
// A file without a version inherits the one that is there, so that an older one
// cannot follow it.
func (w *write) over(there object, etag string) minio.PutObjectOptions {
	o := w.options
	o.UserMetadata = map[string]string{
		metaVersion: strconv.FormatUint(max(w.version, there.version), 10),
		metaWrite:   w.id,
		metaSum:     w.sum,
		metaETag:    etag,
	}
	return o
}

// on adds the condition that there is still what was there.
func on(o minio.PutObjectOptions, there object) minio.PutObjectOptions {
	if there.etag == "" {
		o.SetMatchETagExcept("*")
	} else {
		o.SetMatchETag(there.etag)
	}
	return o
}

// put writes in one request.
func (s *Storage) put(ctx context.Context, key string, w *write, there object) error {
	_, err := s.client.PutObject(ctx, s.o.Bucket, key, bytes.NewReader(w.body), int64(len(w.body)), "", w.sum, on(w.over(there, w.whole), there))
	return err
}

// putAsPart writes the same bytes so that they get another ETag than put gives
// them: that of a multipart upload.
func (s *Storage) putAsPart(ctx context.Context, key string, w *write, there object) error {
	upload, err := s.client.NewMultipartUpload(ctx, s.o.Bucket, key, w.over(there, w.part))
	if err != nil {
		return err
	}
	part, err := s.client.PutObjectPart(ctx, s.o.Bucket, key, upload, 1, bytes.NewReader(w.body), int64(len(w.body)),
		minio.PutObjectPartOptions{Sha256Hex: w.sum, DisableContentSha256: true})
	if err == nil {
		_, err = s.client.CompleteMultipartUpload(ctx, s.o.Bucket, key, upload,
			[]minio.CompletePart{{PartNumber: part.PartNumber, ETag: part.ETag}}, on(minio.PutObjectOptions{}, there))
	}
	if err != nil {
		// What stays when this fails, too, is not the object and is not seen;
		// buckets are told to drop such uploads after a while.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout)
		defer cancel()
		s.client.AbortMultipartUpload(ctx, s.o.Bucket, key, upload)
	}
	return err
}
