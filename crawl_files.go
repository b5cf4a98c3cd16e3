package farwire

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"

	"github.com/farwire/farwire/llmstxt"
)

// The files that a crawl makes: llms.txt, and beside it those with the whole
// texts of the pages, if they were asked for.

// A hostedFile is one beside llms.txt.
type hostedFile struct {
	name string // beside it: "llms-full.txt", "docs/start.md"
	url  string
}

const tellNotHosted = "full and markdown make files that are hosted beside llms.txt; those of this crawl are not hosted, so it makes none"

// texts reports whether the whole texts of the pages are wanted.
func (r *crawlRequest) texts() bool { return r.full || r.markdown }

// save hosts the files in the folder that the subject's files of this site have,
// llms.txt first: a worker whose version is an old one learns it there. before is
// where that was hosted last.
func (j *crawlJob) save(ctx context.Context, site *llmstxt.Site, text string, version uint64, before string) (url string, files []hostedFile, err error) {
	at, err := j.g.hostedSite(ctx, j.subject, site.BaseURL)
	if err != nil {
		return "", nil, err
	}
	url, err = j.saveFile(ctx, File{Name: at.llmsName(before), ContentType: "text/plain; charset=utf-8", Body: []byte(text), Version: version})
	if err != nil {
		return "", nil, err
	}
	if j.req.texts() {
		if files, err = j.saveBeside(ctx, at.folder+"/", j.beside(site, text), version); err != nil {
			return "", nil, err
		}
	}
	j.g.trimFiles(ctx, j.subject, at)
	return url, files, nil
}

// saving is how many files of a crawl are on their way to the storage at once.
const saving = 8

// saveBeside hosts files in a folder of their own. The first error ends it.
func (j *crawlJob) saveBeside(ctx context.Context, folder string, all iter.Seq2[File, error], version uint64) ([]hostedFile, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var wg sync.WaitGroup
	var saved []*hostedFile
	free := make(chan struct{}, saving)
	for f, err := range all {
		if err != nil {
			fail(err)
			break
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		hosted := &hostedFile{name: f.Name}
		saved = append(saved, hosted)
		f.Name, f.Version = folder+f.Name, version
		wg.Go(func() {
			defer func() { <-free }()
			defer func() {
				if v := recover(); v != nil { // nobody else would
					fail(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
				}
			}()
			url, err := j.saveFile(ctx, f)
			if err != nil {
				fail(err)
			}
			hosted.url = url
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	files := make([]hostedFile, len(saved))
	for i, h := range saved {
		files[i] = *h
	}
	return files, nil
}

// pageGone stands in the file of a page that the site does not have any more:
// not every storage can remove a file in a way that a worker with an old one
// respects.
const pageGone = "# Page gone\n\nThis page was not among the site's pages when it was crawled last.\n"

// beside are the files with the whole texts of the pages. Those of pages that an
// earlier crawl had and this one has not say so.
func (j *crawlJob) beside(site *llmstxt.Site, text string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		made := map[string]bool{}
		for f, err := range site.TextFiles(text, j.req.full, j.req.markdown) {
			kind := "text/plain; charset=utf-8"
			if f.URL != "" {
				kind = "text/markdown; charset=utf-8"
			}
			made[f.Name] = true
			if !yield(File{Name: f.Name, ContentType: kind, Body: f.Body}, err) {
				return
			}
		}
		if !j.req.markdown {
			return
		}
		for _, name := range llmstxt.TextNames(j.previous) {
			if !made[name] && !yield(File{Name: name, ContentType: "text/markdown; charset=utf-8", Body: []byte(pageGone)}, nil) {
				return
			}
		}
	}
}

func (j *crawlJob) saveFile(ctx context.Context, f File) (url string, err error) {
	if url, err = j.g.o.Storage.Save(ctx, f); err != nil {
		return "", fmt.Errorf("storage: %w", err)
	}
	return url, nil
}
