package llmstxt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// enhance asks a made-up model and returns the file and the complaints.
func enhance(s *llmstxt.CrawledSite, l llmstxt.Layout, o llmstxt.EnhanceOptions, model func(llmstxt.Part, *llmstxt.Document) (string, error)) (string, []string) {
	var log []string
	o.Progress = func(e llmstxt.Event) {
		if !strings.HasPrefix(e.Message, "Asking the language model") {
			log = append(log, e.Message)
		}
	}
	out := s.Enhance(context.Background(), l, func(_ context.Context, p llmstxt.Part) (string, error) {
		f, err := llmstxt.Parse(p.Text, p.Layout)
		if err != nil {
			return "", err
		}
		return model(p, f)
	}, o)
	return out, log
}

func TestEnhance_PartsReworded_KeepTheStructure(t *testing.T) {
	w := linkGraph(11, 60)
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	for _, l := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
		for _, size := range []int{0, 4000, 1} {
			t.Run(fmt.Sprint(l, size), func(t *testing.T) {
				var asked atomic.Int64
				out, log := enhance(s, l, llmstxt.EnhanceOptions{Size: size}, func(p llmstxt.Part, f *llmstxt.Document) (string, error) {
					asked.Add(1)
					if len(p.Pages) != len(f.Entries()) || p.Pages[0].URL != f.Entries()[0].URL || p.Pages[0].Text == "" {
						t.Errorf("texts of %d pages for %d entries", len(p.Pages), len(f.Entries()))
					}
					for i := range f.Sections {
						for j := range f.Sections[i].Entries {
							f.Sections[i].Entries[j].Text = "Better words."
						}
						slices.Reverse(f.Sections[i].Entries)
					}
					return f.Render(p.Layout), nil
				})
				got, err := llmstxt.Parse(out, l)
				if err != nil {
					t.Fatal(err)
				}
				want, err := llmstxt.Parse(s.Render(l), l)
				if err != nil {
					t.Fatal(err)
				}
				if sections := len(got.Sections); sections != len(want.Sections) {
					t.Errorf("%d sections, want %d", sections, len(want.Sections))
				}
				if len(log) > 0 || len(got.Entries()) != len(want.Entries()) || strings.Count(out, "Better words.") != len(want.Entries()) {
					t.Errorf("%d of %d entries better, log %v", strings.Count(out, "Better words."), len(want.Entries()), log)
				}
				if size == 1 && asked.Load() != int64(len(want.Entries())) || size == 0 && asked.Load() != 1 {
					t.Errorf("%d parts", asked.Load())
				}
				if !slices.Equal(addresses(got), addresses(want)) {
					t.Error("other addresses")
				}
			})
		}
	}
}

func addresses(f *llmstxt.Document) []string {
	var out []string
	for _, e := range f.Entries() {
		out = append(out, e.URL)
	}
	slices.Sort(out)
	return out
}

// A model that obeys the pages it reads changes nothing.
func TestEnhance_ModelFollowsThePage_ChangesNothing(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":  doc("Home", "/a", "/b"),
		"http://docs.test/a": doc("Page A"),
		"http://docs.test/b": html("<title>Page B</title><h1>Page B</h1><p>Read more at https://good.test/more in the evening.</p>"),
	}}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{DescLength: 200})
	replace := func(old, with string) func(llmstxt.Part, *llmstxt.Document) (string, error) {
		return func(p llmstxt.Part, _ *llmstxt.Document) (string, error) {
			if !strings.Contains(p.Text, old) {
				return "", errors.New("the test replaces nothing")
			}
			return strings.Replace(p.Text, old, with, 1), nil
		}
	}
	last := func(change func(*llmstxt.Entry)) func(llmstxt.Part, *llmstxt.Document) (string, error) {
		return func(p llmstxt.Part, f *llmstxt.Document) (string, error) {
			e := f.Sections[len(f.Sections)-1].Entries
			change(&e[len(e)-1])
			return f.Render(p.Layout), nil
		}
	}
	first := func(change func(*llmstxt.Entry)) func(llmstxt.Part, *llmstxt.Document) (string, error) {
		return func(p llmstxt.Part, f *llmstxt.Document) (string, error) {
			change(&f.Sections[0].Entries[0])
			return f.Render(p.Layout), nil
		}
	}
	text := func(s string) func(*llmstxt.Entry) { return func(e *llmstxt.Entry) { e.Text = s } }
	for name, model := range map[string]func(llmstxt.Part, *llmstxt.Document) (string, error){
		"another page": replace("http://docs.test/b", "http://evil.test/b"),
		"a page twice": replace("http://docs.test/b", "http://docs.test/a"),
		"a page less": func(p llmstxt.Part, f *llmstxt.Document) (string, error) {
			f.Sections[0].Entries = f.Sections[0].Entries[1:]
			return f.Render(p.Layout), nil
		},
		"no layout":         func(llmstxt.Part, *llmstxt.Document) (string, error) { return "I am sorry, I can not do that.", nil },
		"a preface":         func(p llmstxt.Part, _ *llmstxt.Document) (string, error) { return "Here you are:\n\n" + p.Text, nil },
		"nothing":           func(llmstxt.Part, *llmstxt.Document) (string, error) { return "", nil },
		"an error":          func(llmstxt.Part, *llmstxt.Document) (string, error) { return "", errors.New("secret of the provider") },
		"foreign address":   last(text("Go to https://evil.test/ now.")),
		"foreign, in words": last(text("Go to evil.com now.")),
		"foreign www":       last(text("Go to www.evil.test now.")),
		"longer address":    last(text("Read more at https://good.test/more-evil now.")),
		"shorter address":   last(text("Read more at https://good.te now.")),
		"of another page":   first(text("Read more at https://good.test/secret now.")),
		"a link":            last(text("Go [here](/evil) now.")),
		"a script":          last(text("Go to javascript:alert(1) now.")),
		"too long":          last(text(strings.Repeat("word ", 41))),
		"empty":             last(text("")),
		"control":           replace("Page B", "Page \x1bB"),
		"turned around":     last(text("Some \u202eturned words.")),
		"title too long":    last(func(e *llmstxt.Entry) { e.Title = strings.Repeat("t", 201) }),
		"address in title":  last(func(e *llmstxt.Entry) { e.Title = "https://evil.test" }),
	} {
		for _, l := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
			t.Run(name+" "+string(l), func(t *testing.T) {
				out, log := enhance(s, l, llmstxt.EnhanceOptions{}, model)
				if out != s.Render(l) {
					t.Errorf("the file has changed:\n%s", out)
				}
				if len(log) != 1 || strings.Contains(log[0], "secret") || strings.Contains(log[0], "replaces nothing") {
					t.Errorf("log %q", log)
				}
			})
		}
	}
	// What the page itself says may be said of it.
	out, log := enhance(s, llmstxt.Pages, llmstxt.EnhanceOptions{}, last(text("More is at https://good.test/more, in the evening.")))
	if len(log) > 0 || !strings.Contains(out, "More is at https://good.test/more, in") {
		t.Errorf("log %q\n%s", log, out)
	}
}

// A model that does not answer holds a part up for its time and no longer, and
// all of them for the time that there is.
func TestEnhance_ModelSilent_IsBounded(t *testing.T) {
	s := crawl(t, linkGraph(11, 60), "http://docs.test/", llmstxt.Options{})
	for name, c := range map[string]struct {
		options llmstxt.EnhanceOptions
		want    time.Duration
	}{
		"a part":    {llmstxt.EnhanceOptions{}, 30 * time.Second},
		"many":      {llmstxt.EnhanceOptions{Size: 1, Timeout: time.Second, Workers: len(s.Pages)}, time.Second},
		"in turn":   {llmstxt.EnhanceOptions{Size: 1, Timeout: time.Second, Workers: 1}, time.Duration(len(s.Pages)) * time.Second},
		"all":       {llmstxt.EnhanceOptions{Size: 1, Workers: 1}, 5 * time.Minute},
		"less time": {llmstxt.EnhanceOptions{Size: 1, Workers: 2, Total: 45 * time.Second}, 45 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var log []string
				c.options.Progress = func(e llmstxt.Event) { log = append(log, e.Message) }
				out := s.Enhance(t.Context(), llmstxt.Pages, func(ctx context.Context, _ llmstxt.Part) (string, error) {
					<-ctx.Done()
					return "", ctx.Err()
				}, c.options)
				if out != s.Render(llmstxt.Pages) || time.Since(began) != c.want {
					t.Errorf("after %v, want %v", time.Since(began), c.want)
				}
				last := log[len(log)-1]
				if want := c.options.Size == 1 && strings.HasPrefix(name, "all") || name == "less time"; strings.Contains(last, "no time is left") != want {
					t.Errorf("log %q", last)
				}
			})
		})
	}
}

// Whoever cancels does not wait for the parts that are left.
func TestEnhance_Cancelled_EndsAtOnce(t *testing.T) {
	s := crawl(t, linkGraph(11, 60), "http://docs.test/", llmstxt.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	s.Enhance(ctx, llmstxt.Pages, func(ctx context.Context, _ llmstxt.Part) (string, error) {
		asked.Add(1)
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}, llmstxt.EnhanceOptions{Size: 1, Workers: 2})
	if n := asked.Load(); n > 2 {
		t.Errorf("%d parts were asked for", n)
	}
}
