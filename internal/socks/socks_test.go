package socks_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/socks"
)

// A conversation is what a client says, and what it is told.
type conversation struct {
	io.Reader
	told bytes.Buffer
}

func (c *conversation) Write(b []byte) (int, error) { return c.told.Write(b) }

func TestReadRequest_BytesBehindIt_StayUnread(t *testing.T) {
	for say, want := range map[string]socks.Request{
		"\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbbrest":                                            {Host: "192.0.2.1", Port: 443},
		"\x05\x01\x00\x03\x06a.test\x00\x50rest":                                                  {Host: "a.test", Port: 80},
		"\x05\x01\x00\x04 \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x16rest": {Host: "2001:db8::1", Port: 22},
	} {
		c := &conversation{Reader: bytes.NewReader([]byte(say))}
		got, err := socks.ReadRequest(c)
		rest, _ := io.ReadAll(c)
		if err != nil || got != want || string(rest) != "rest" || c.told.Len() > 0 {
			t.Errorf("%q: %+v %v, then %q; told %q", say, got, err, rest, c.told.String())
		}
	}
}

const rejected4 = "\x00\x5b\x00\x00\x00\x00\x00\x00"

// Who speaks another protocol reads so in that protocol, where it has words for it.
func TestReadCredentials_AnotherProtocol_IsToldSo(t *testing.T) {
	for say, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n":  "HTTP/1.1 400 Bad Request\r\n",
		"CONNECT a.test:443 HTTP/1.1\r\n\r\n":     "HTTP/1.1 400 Bad Request\r\n",
		"PROPFIND http://a.test/ HTTP/1.0\r\n":    "HTTP/1.1 400 Bad Request\r\n",
		"\x04\x01\x01\xbb\xc0\x00\x02\x01any\x00": rejected4,
		"\x16\x03\x01": "",
		"ssh":          "",
	} {
		c := &conversation{Reader: strings.NewReader(say)}
		_, err := socks.ReadCredentials(c)
		told := c.told.String()
		if !errors.Is(err, socks.ErrProtocol) || !strings.HasPrefix(told, want) || (want == "") != (told == "") {
			t.Errorf("%q: told %q, %v", say, told, err)
		}
		if strings.HasPrefix(want, "HTTP") {
			resp, err := http.ReadResponse(bufio.NewReader(&c.told), nil)
			if err != nil {
				t.Fatal(err)
			}
			var body struct{ Detail, Code string }
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.Code != "bad_request" || !strings.Contains(body.Detail, "SOCKS5") {
				t.Errorf("%q: %+v, %v", say, body, err)
			}
		}
	}
}

func FuzzServer(f *testing.F) {
	f.Add([]byte("\x05\x01\x02\x01\x01a\x01b\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"))
	f.Add([]byte("\x05\x02\x00\x02\x01\x00\x00\x05\x03\x00\x03\x06a.test\x00\x50"))
	f.Add([]byte("\x05\x01\x00"))
	f.Add([]byte("\x04\x01"))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add([]byte("\x05\x01\x02\x01\x01a\x01b\x05\x01\x00\x04\x00"))
	f.Fuzz(func(t *testing.T, say []byte) {
		c := &conversation{Reader: bytes.NewReader(say)}
		credentials, err := socks.ReadCredentials(c)
		if err != nil {
			told := c.told.String()
			foreign := errors.Is(err, socks.ErrProtocol) && (say[0] == 4 && told == rejected4 || strings.HasPrefix(told, "HTTP/1.1 400 ") && 'A' <= say[0] && say[0] <= 'Z')
			if told != "" && told != "\x05\x02" && !foreign && (told != "\x05\xff" || !errors.Is(err, socks.ErrMethod)) {
				t.Errorf("told %q with %v", told, err)
			}
			return
		}
		if len(credentials.User) > 255 || len(credentials.Password) > 255 {
			t.Errorf("%+v", credentials)
		}
		c.told.Reset()
		r, err := socks.ReadRequest(c)
		switch told := c.told.String(); {
		case err == nil && (told != "" || len(r.Host) > 255):
			t.Errorf("%+v, told %q", r, told)
		case errors.Is(err, socks.ErrCommand) && told != "\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00",
			errors.Is(err, socks.ErrAddress) && told != "\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00":
			t.Errorf("%v, told %q", err, told)
		}
	})
}
