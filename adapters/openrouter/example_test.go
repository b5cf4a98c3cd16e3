package openrouter_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/farwire/farwire/adapters/openrouter"
	"github.com/farwire/farwire/llmstxt"
)

// A model whose answers outlive the process. The gateway does the asking, and
// the checking; here it is done by hand.
func Example() {
	// In the place of https://openrouter.ai/api/v1.
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices": [{"finish_reason": "stop", "message": {"content":
			"# Example\n\n> https://docs.example/\n\n## Getting started\n\n> https://docs.example/start\n\nInstall it and say hello."}}],
			"usage": {"prompt_tokens": 512, "completion_tokens": 31}}`)
	}))
	defer api.Close()

	dir, err := os.MkdirTemp("", "answers-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	answers, err := openrouter.Folder(dir, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer answers.Close()
	model, err := openrouter.New(openrouter.Options{
		APIKey:  "sk-or-v1-0123456789",
		BaseURL: api.URL,
		Cache:   answers,
	})
	if err != nil {
		log.Fatal(err)
	}
	// farwire.Options{Crawl: farwire.CrawlOptions{Enhance: model}}

	part := llmstxt.Part{
		Layout:    llmstxt.Pages,
		Text:      "# Example\n\n> https://docs.example/\n\n## start.html\n\n> https://docs.example/start\n\nInstall.\n",
		Pages:     []llmstxt.PageText{{URL: "https://docs.example/start", Text: "Install it. Then say hello."}},
		TextLimit: 500,
	}
	for range 2 { // the second is free
		text, err := model.Enhance(context.Background(), part)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(text), "bytes")
	}
	s := model.Stats()
	fmt.Printf("%d parts, %d request, %d tokens\n", s.Parts, s.Requests, s.PromptTokens+s.CompletionTokens)
	// Output:
	// 112 bytes
	// 112 bytes
	// 2 parts, 1 request, 543 tokens
}
