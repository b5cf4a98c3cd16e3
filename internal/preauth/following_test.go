package preauth_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The body of a request whose head net/http has read together with the request before it is no
// head: a program that sends requests without waiting for answers may send any lines.
func TestGuard_BodyOfAPipelinedRequest_IsNotCutAsAHead(t *testing.T) {
	body := strings.Repeat("1\n", 20<<10)
	post := func(body string) string {
		return fmt.Sprintf("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body))
	}
	chunked := fmt.Sprintf("POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", len(body))
	for name, pieces := range map[string][]string{
		"a length":      {post("a") + "a" + post(body), body},
		"chunks":        {post("a") + "a" + chunked, body + "\r\n0\r\n\r\n"},
		"behind a GET":  {"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + post(body), body},
		"the third":     {post("a") + "a" + post("b") + "b" + post(body), body},
		"no final line": {post("a") + "a" + strings.TrimSuffix(post(body), "\r\n"), "\r\n", body},
		"half a head":   {post("a") + "a" + post(body)[:40], post(body)[40:], body},
		"an empty line": {post("a") + "a\r\n" + post(body), body},
	} {
		for _, over := range []string{"TCP", "TLS"} {
			for _, key := range []string{"", "Key: a\r\n"} {
				t.Run(over+" "+name+" "+key, func(t *testing.T) {
					c := serveHeads(t, over, false, answers).dial(t)
					pieces[0] = strings.Replace(pieces[0], "Host: a\r\n", "Host: a\r\n"+key, 1)
					requests := strings.Count(strings.Join(pieces, ""), "HTTP/1.1")
					go func() {
						for _, piece := range pieces {
							if _, err := io.WriteString(c, piece); err != nil {
								t.Error(err)
							}
						}
					}()
					br := bufio.NewReader(c)
					for i := range requests {
						resp, err := http.ReadResponse(br, nil)
						if err != nil || resp.StatusCode >= 300 {
							t.Fatalf("request %d of %d: %v, %v", i+1, requests, resp, err)
						}
						resp.Body.Close()
					}
				})
			}
		}
	}
}

// Empty lines before a request, which net/http skips behind a POST, hide nothing of its head.
func TestGuard_EmptyLinesBeforeAHead_HideNothing(t *testing.T) {
	head := "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("a: b\r\n", 1000) // and more that does not come
	for _, over := range []string{"TCP", "TLS"} {
		for _, empty := range []string{"\r\n", "\n", "\r\n\r\n", "\n\n\n\n", "\n\r\n"} {
			for _, together := range []bool{true, false} {
				for _, key := range []string{"", "Key: a\r\n"} {
					t.Run(fmt.Sprintf("%s %q %v %q", over, empty, together, key), func(t *testing.T) {
						c := serveHeads(t, over, false, answers).dial(t)
						br := bufio.NewReader(c)
						first, then := "POST /read HTTP/1.1\r\nHost: a\r\n"+key+"Content-Length: 1\r\n\r\nx", empty+head
						if together {
							first, then = first+empty, head
						}
						if _, err := io.WriteString(c, first); err != nil {
							t.Fatal(err)
						}
						resp, err := http.ReadResponse(br, nil)
						if err != nil || resp.StatusCode >= 300 {
							t.Fatal(resp, err)
						}
						resp.Body.Close()
						go io.WriteString(c, then)
						resp, err = http.ReadResponse(br, nil)
						if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
							t.Errorf("%v, %v, want 431", resp, err)
						}
					})
				}
			}
		}
	}
}
