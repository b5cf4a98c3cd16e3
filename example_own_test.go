package farwire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// oneEach is a SlotLimiter of a host's own: of a principal and a kind one session runs
// at a time, whatever its limit. A database in place of the map would hold for all gateways.
type oneEach struct {
	farwire.Limiter // of requests
	mu              sync.Mutex
	taken           map[string]bool
}

func (l *oneEach) TakeSlot(_ context.Context, p farwire.Principal, k farwire.Kind, _ int) (release func(), taken bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := k.String() + " " + p.Subject
	if l.taken[slot] {
		return nil, false, nil
	}
	l.taken[slot] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.taken, slot)
	}, true, nil
}

// What runs at a time is counted by the host, request rates as ever.
func ExampleSlotLimiter() {
	var limiter farwire.SlotLimiter = &oneEach{Limiter: farwire.NewLimiter(), taken: map[string]bool{}}
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Limiter: limiter, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	target := listener()
	defer target.Close()
	alice := farwire.Principal{Subject: "alice", Limits: farwire.Limits{Sessions: 1}}
	o := farwire.OpenOptions{Addr: target.Addr().String(), Principal: alice}
	first, err := gw.Open(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	_, err = gw.Open(context.Background(), o)
	fmt.Println(err)
	first.Close()
	second, err := gw.Open(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	defer second.Close()
	fmt.Println("there is room again")
	// Output:
	// farwire: Open: limit reached: 1 tunnel session at a time
	// there is room again
}

// A browser and a model of a host's own; these know what they will be asked.
type (
	ownBrowser struct{}
	ownModel   struct{}
)

func (ownBrowser) Render(_ context.Context, p farwire.RenderPage) (farwire.Rendered, error) {
	html := "<title>Teapot</title><main><h1>Teapot</h1><p>Boils water over HTTP, as a script says.</p></main>"
	return farwire.Rendered{HTML: []byte(html), By: "an example"}, nil
}

func (ownModel) Enhance(_ context.Context, p llmstxt.Part) (string, error) {
	return strings.Replace(p.Text, "Boils water over HTTP, as a script says.", "A pot that boils water.", 1), nil
}

// crawled crawls a page without words through a gateway and returns the file.
func crawled(o farwire.CrawlOptions) string {
	gw, err := farwire.New(farwire.Options{Auth: mustAPIKeys(), Agents: mustDirect(), Crawl: o, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	host := httptest.NewServer(gw.Crawl())
	defer host.Close()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, `<!doctype html><title>Teapot</title><div id="root"></div><script src="/app.js"></script>`)
	}))
	defer site.Close()
	messages := crawlMessages(host.URL+"?api_key=a-key-for-alice-1", map[string]any{"url": site.URL, "llmEnhance": o.Enhance != nil})
	return strings.ReplaceAll(messages["result"], site.URL, "https://teapot.example")
}

// A page whose words come by a script is shown by a browser of the host's.
func ExampleRenderer() {
	fmt.Print(crawled(farwire.CrawlOptions{Render: ownBrowser{}}))
	// Output:
	// # Teapot
	//
	// > https://teapot.example/
	//
	// ## Teapot
	//
	// > https://teapot.example/
	//
	// Boils water over HTTP, as a script says.
}

// The words of a file are a model's, where its answer is the same file reworded.
func ExampleEnhancer() {
	fmt.Print(crawled(farwire.CrawlOptions{Render: ownBrowser{}, Enhance: ownModel{}}))
	// Output:
	// # Teapot
	//
	// > https://teapot.example/
	//
	// ## Teapot
	//
	// > https://teapot.example/
	//
	// A pot that boils water.
}

// crawlMessages sends a request to a crawl and returns the last message of each type.
func crawlMessages(url string, request map[string]any) map[string]string {
	ctx := context.Background()
	ws, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ws.CloseNow()
	if err := wsjson.Write(ctx, ws, request); err != nil {
		log.Fatal(err)
	}
	messages := make(map[string]string)
	for {
		var m struct{ Type, Content string }
		if err := wsjson.Read(ctx, ws, &m); err != nil {
			return messages // the crawl is over
		}
		messages[m.Type] = m.Content
	}
}

// bucket is a Storage of a host's own, which shows and removes its files and keeps the
// secret that their names are derived from.
type bucket struct {
	mu    sync.Mutex
	files map[string]farwire.File
	made  time.Time
}

func (b *bucket) Save(_ context.Context, f farwire.File) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.Version > 0 && b.files[f.Name].Version > f.Version {
		return "", farwire.ErrStale
	}
	f.Body = bytes.Clone(f.Body)
	b.files[f.Name] = f
	return "https://files.example.com/" + f.Name, nil
}

func (b *bucket) Files(_ context.Context, folder string) (list []farwire.StoredFile, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, f := range b.files {
		if strings.HasPrefix(name, folder+"/") {
			list = append(list, farwire.StoredFile{Name: name, Size: int64(len(f.Body)), Modified: b.made})
		}
	}
	return list, nil
}

func (b *bucket) Remove(_ context.Context, folder string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.files, func(name string, _ farwire.File) bool { return strings.HasPrefix(name, folder+"/") })
	return nil
}

func (b *bucket) Secret(_ context.Context, name string) ([]byte, error) {
	sum := sha256.Sum256([]byte("of a secret manager, and never of the bucket: " + name))
	return sum[:], nil
}

// The files of a caller's last 200 crawls stay; a gateway asks for and removes others.
func ExampleFileRemover() {
	var files farwire.FileRemover = &bucket{files: map[string]farwire.File{}, made: time.Now()}
	ctx := context.Background()
	for _, name := range []string{"llms/0a/llms.txt", "llms/0b/llms.txt"} {
		if _, err := files.Save(ctx, farwire.File{Name: name, Body: []byte("# Teapot\n")}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(files.Remove(ctx, "llms/0a"))
	list, err := files.Files(ctx, "llms")
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range list {
		fmt.Println(f.Name, f.Size)
	}
	// Output:
	// <nil>
	// llms/0b/llms.txt 9
}

// Gateways that share a store share its secret, and so the names of hosted files.
func ExampleSecretKeeper() {
	var keeper farwire.SecretKeeper = &bucket{}
	secret, err := keeper.Secret(context.Background(), "hosted files")
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Storage: keeper.(farwire.Storage), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(secret), "bytes;", gw.Shutdown(context.Background()))
	// Output:
	// 32 bytes; <nil>
}

// With HoldHandler a middleware sees a whole session as one request.
func ExampleRelayOptions_holdHandler() {
	gw, err := farwire.New(farwire.Options{Auth: mustAPIKeys(), Agents: mustDirect(), Logger: quiet, Relay: farwire.RelayOptions{HoldHandler: true}})
	if err != nil {
		log.Fatal(err)
	}
	target := echoServer()
	defer target.Close()
	echoed, over := make(chan struct{}), make(chan string)
	relay := gw.Relay()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		relay.ServeHTTP(w, r)
		select {
		case <-echoed:
			over <- "after the session"
		default:
			over <- "before the session's end"
		}
	}))
	defer host.Close()
	ctx := context.Background()
	ws, _, err := websocket.Dial(ctx, wsURL(host)+"?api_key=a-key-for-alice-1&url="+wsURL(target), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	_, text, err := ws.Read(ctx)
	fmt.Println(string(text), err)
	close(echoed)
	ws.Close(websocket.StatusNormalClosure, "")
	fmt.Println("the handler returned", <-over)
	// Output:
	// hello <nil>
	// the handler returned after the session
}
