package openrouter

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// The chat completions API, as far as it is used here: a request in, text out.
// A stream is asked for; servers that do not stream answer with one JSON
// document instead, and some send events whatever they were asked, so the first
// byte decides how the answer is read. Errors come as a status, as an object in
// the place of the answer with status 200, or in the midst of a stream.

const (
	maxBody   = 32 << 20 // of an answer with all its framing
	maxLine   = 4 << 20  // of a stream
	maxAnswer = 1 << 20  // of the model's words
)

// completion is an answer, or one event of a stream.
type completion struct {
	Choices []choice  `json:"choices"`
	Usage   *usage    `json:"usage"`
	Error   *apiError `json:"error"`
}

type choice struct {
	Message      *message  `json:"message"` // of a document
	Delta        *message  `json:"delta"`   // of an event
	FinishReason string    `json:"finish_reason"`
	Error        *apiError `json:"error"`
}

type message struct {
	Content content `json:"content"`
	Refusal string  `json:"refusal"`
}

type usage struct {
	PromptTokens     int64   `json:"prompt_tokens"`
	CompletionTokens int64   `json:"completion_tokens"`
	Cost             float64 `json:"cost"`
}

// content is a text, null, or a list of parts of which some are text.
type content string

func (c *content) UnmarshalJSON(b []byte) error {
	var text *string
	if json.Unmarshal(b, &text) == nil {
		if text != nil {
			*c = content(*text)
		}
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return errors.New("content is neither text nor a list of parts")
	}
	for _, p := range parts {
		if p.Type == "text" || p.Type == "output_text" {
			*c += content(p.Text)
		}
	}
	return nil
}

// apiError is what went wrong: an object, or a mere text.
type apiError struct {
	Code    int
	Message string
}

func (e *apiError) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &e.Message) == nil {
		return nil
	}
	var o struct {
		Code    json.RawMessage `json:"code"`
		Message string          `json:"message"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return errors.New("error is neither an object nor text")
	}
	e.Message = o.Message
	// Some send a word, "invalid_api_key", or a number between quotes.
	code := strings.Trim(string(o.Code), `"`)
	if _, err := fmt.Sscanf(code, "%d", &e.Code); err != nil && e.Message == "" {
		e.Message = code
	}
	return nil
}

// try asks once.
func (m *Model) try(ctx context.Context, body []byte) (string, error) {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+m.o.APIKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream, application/json")
	m.requests.Add(1)
	resp, err := m.client.Do(req)
	if err != nil {
		return "", &transient{error: errors.New(m.tidy(err.Error()))}
	}
	defer resp.Body.Close()
	in := bufio.NewReader(io.LimitReader(resp.Body, maxBody))
	if resp.StatusCode != http.StatusOK {
		return "", m.refusal(resp.StatusCode, errorText(in), resp.Header)
	}
	first, err := firstByte(in)
	if err != nil {
		return "", &transient{error: errors.New("the API answers with nothing")}
	}
	a := answer{m: m, header: resp.Header}
	if first == '{' {
		err = a.document(in)
	} else {
		err = a.stream(in)
	}
	m.count(a.usage)
	if err != nil {
		return "", err
	}
	return a.words()
}

// errorText is what a body with a bad status says.
func errorText(in io.Reader) string {
	b, _ := io.ReadAll(io.LimitReader(in, 64<<10)) // what came before it broke is all there is to say
	var c completion
	if json.Unmarshal(b, &c) == nil && c.Error != nil {
		return c.Error.Message
	}
	if json.Valid(b) {
		return string(b)
	}
	return "" // a proxy's page
}

// firstByte skips white space, with which some servers keep a connection alive
// until they have an answer.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b, in.UnreadByte()
		}
	}
}

// answer collects what the model says.
type answer struct {
	m       *Model
	header  http.Header
	text    strings.Builder
	refused string
	finish  string
	usage   *usage
}

func (a *answer) document(in io.Reader) error {
	var c completion
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return &transient{error: fmt.Errorf("the API's answer is broken: %w", err)}
	}
	return a.add(&c)
}

// stream reads events: https://html.spec.whatwg.org/multipage/server-sent-events.html,
// of which the API uses lines of data and comments.
func (a *answer) stream(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if data = bytes.TrimSpace(data); !ok || len(data) == 0 {
			continue
		}
		if string(data) == "[DONE]" {
			return nil
		}
		var c completion
		if err := json.Unmarshal(data, &c); err != nil {
			return &transient{error: fmt.Errorf("an event of the API's is broken: %w", err)}
		}
		if err := a.add(&c); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return &transient{error: fmt.Errorf("the API's answer breaks off: %w", err)}
	}
	if a.finish == "" {
		return &transient{error: errors.New("the API's answer breaks off")}
	}
	return nil
}

// add takes a document or an event, of which only the first choice counts.
func (a *answer) add(c *completion) error {
	if c.Usage != nil {
		a.usage = c.Usage // of all so far
	}
	if c.Error != nil {
		return a.failed(c.Error)
	}
	if len(c.Choices) == 0 {
		return nil
	}
	first := &c.Choices[0]
	if first.Error != nil {
		return a.failed(first.Error)
	}
	for _, m := range []*message{first.Message, first.Delta} {
		if m != nil {
			a.text.WriteString(string(m.Content))
			a.refused += m.Refusal
		}
	}
	if first.FinishReason != "" {
		a.finish = first.FinishReason
	}
	if a.text.Len() > maxAnswer || len(a.refused) > maxAnswer {
		return errors.New("the model's answer is too long")
	}
	return nil
}

// failed is the error for one that came in the place of an answer. Without a
// code of HTTP it is the server's fault.
func (a *answer) failed(e *apiError) error {
	if e.Code < 400 || e.Code > 599 {
		e.Code = http.StatusBadGateway
	}
	return a.m.refusal(e.Code, e.Message, a.header)
}

// words is the model's answer, if it is whole.
func (a *answer) words() (string, error) {
	switch a.finish {
	case "", "stop", "end_turn", "eos":
	case "length":
		return "", errors.New("the model's answer is cut off: the token budget is too small for it")
	case "error":
		return "", &transient{error: errors.New("the model failed in the midst of its answer")}
	default:
		return "", fmt.Errorf("the model stopped for another reason: %s", a.m.tidy(a.finish))
	}
	if a.refused != "" {
		return "", fmt.Errorf("the model refuses: %s", a.m.tidy(a.refused))
	}
	text := unwrap(a.text.String())
	if text == "" {
		return "", &transient{error: errors.New("the model says nothing")}
	}
	return text, nil
}

// unwrap takes off what models put around an answer: what they thought before
// it, and a code fence.
func unwrap(text string) string {
	text = strings.TrimSpace(text)
	if thought, ok := strings.CutPrefix(text, "<think>"); ok {
		if _, said, ok := strings.Cut(thought, "</think>"); ok {
			text = strings.TrimSpace(said)
		}
	}
	for _, fence := range []string{"```", "~~~"} {
		if !strings.HasPrefix(text, fence) {
			continue
		}
		opening, rest, ok := strings.Cut(text, "\n")
		closing := opening[:len(opening)-len(strings.TrimLeft(opening, fence[:1]))]
		if body, closed := strings.CutSuffix(rest, "\n"+closing); ok && closed {
			text = strings.TrimSpace(body)
		}
	}
	if text == "" {
		return ""
	}
	return text + "\n"
}
