package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/farwire/farwire"
)

// Files of crawls in a folder, served by the host itself.
func ExampleNewFolderStorage() {
	dir, err := os.MkdirTemp("", "files-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	files, err := farwire.NewFolderStorage(dir, "https://gw.example.com/files/")
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files", files))
	host := httptest.NewServer(mux)
	defer host.Close()
	// A gateway saves by itself: farwire.New(farwire.Options{Storage: files, …}).

	ctx := context.Background()
	url, err := files.Save(ctx, farwire.File{Name: "llms/example.txt", Body: []byte("# Example\n"), Version: 2})
	fmt.Println(url, err)
	_, err = files.Save(ctx, farwire.File{Name: "llms/example.txt", Body: []byte("# An older crawl\n"), Version: 1})
	fmt.Println("stale:", errors.Is(err, farwire.ErrStale))

	resp, err := http.Get(host.URL + "/files/llms/example.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %s: %s", resp.Status, resp.Header.Get("Content-Type"), body)
	// Output:
	// https://gw.example.com/files/llms/example.txt <nil>
	// stale: true
	// 200 OK, text/plain; charset=utf-8: # Example
}
