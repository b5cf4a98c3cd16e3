package openrouter_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/farwire/farwire/adapters/openrouter"
)

// What servers of this API say, and what is made of it.
func TestEnhance_EachFormOfAnswer_IsReadOrRefused(t *testing.T) {
	choice := func(s string) string { return `{"choices":[{"index":0,` + s + `}]}` }
	for name, c := range map[string]struct {
		body string
		want string // the answer
		err  string // or a part of the error
	}{
		"text":               {body: choice(`"finish_reason":"stop","message":{"content":"# A\n"}`), want: "# A\n"},
		"no line break":      {body: choice(`"finish_reason":"stop","message":{"content":"  # A"}`), want: "# A\n"},
		"parts":              {body: choice(`"finish_reason":"stop","message":{"content":[{"type":"text","text":"# A"},{"type":"image_url"},{"type":"text","text":"\nB"}]}`), want: "# A\nB\n"},
		"no finish":          {body: choice(`"message":{"content":"# A"}`), want: "# A\n"},
		"null finish":        {body: choice(`"finish_reason":null,"message":{"content":"# A"}`), want: "# A\n"},
		"keep-alive":         {body: "\n\n  \n" + choice(`"finish_reason":"stop","message":{"content":"# A"}`) + "\n", want: "# A\n"},
		"reasoning aside":    {body: choice(`"finish_reason":"stop","message":{"content":"# A","reasoning":"hm","reasoning_details":[]}`), want: "# A\n"},
		"thoughts":           {body: choice(`"finish_reason":"stop","message":{"content":"<think>\n# B\n</think>\n\n# A"}`), want: "# A\n"},
		"fence":              {body: choice(`"finish_reason":"stop","message":{"content":"` + "```markdown\\n# A\\n```" + `"}`), want: "# A\n"},
		"longer fence":       {body: choice(`"finish_reason":"stop","message":{"content":"` + "````\\n# A\\n```\\n````" + `"}`), want: "# A\n```\n"},
		"tildes":             {body: choice(`"finish_reason":"stop","message":{"content":"~~~md\n# A\n~~~"}`), want: "# A\n"},
		"open fence":         {body: choice(`"finish_reason":"stop","message":{"content":"` + "```\\n# A" + `"}`), want: "```\n# A\n"},
		"two choices":        {body: `{"choices":[{"finish_reason":"stop","message":{"content":"# A"}},{"finish_reason":"stop","message":{"content":"# B"}}]}`, want: "# A\n"},
		"cut off":            {body: choice(`"finish_reason":"length","message":{"content":"# A"}`), err: "cut off"},
		"filtered":           {body: choice(`"finish_reason":"content_filter","message":{"content":"# A"}`), err: "another reason: content_filter"},
		"tools":              {body: choice(`"finish_reason":"tool_calls","message":{"content":null,"tool_calls":[]}`), err: "another reason: tool_calls"},
		"refusal":            {body: choice(`"finish_reason":"stop","message":{"content":null,"refusal":"I would rather not"}`), err: "refuses: I would rather not"},
		"null":               {body: choice(`"finish_reason":"stop","message":{"content":null}`), err: "says nothing"},
		"blank":              {body: choice(`"finish_reason":"stop","message":{"content":" \n"}`), err: "says nothing"},
		"empty fence":        {body: choice(`"finish_reason":"stop","message":{"content":"` + "```\\n\\n```" + `"}`), err: "says nothing"},
		"no choice":          {body: `{"choices":[]}`, err: "says nothing"},
		"object":             {body: choice(`"finish_reason":"stop","message":{"content":{"a":1}}`), err: "neither text"},
		"nothing":            {body: ``, err: "with nothing"},
		"half":               {body: `{"choices":[{"mess`, err: "broken"},
		"page":               {body: `<html>502</html>`, err: "breaks off"},
		"too long":           {body: choice(`"finish_reason":"stop","message":{"content":"` + strings.Repeat("a", 1<<20+1) + `"}`), err: "too long"},
		"error":              {body: `{"error":{"code":400,"message":"no such parameter"}}`, err: "400 (Bad Request): no such parameter"},
		"error as text":      {body: `{"error":"model is loading"}`, err: "502 (Bad Gateway): model is loading"},
		"error by name":      {body: `{"error":{"code":"invalid_api_key"}}`, err: "invalid_api_key"},
		"error, quoted code": {body: `{"error":{"code":"402","message":"m"}}`, err: "402 (the account"},
		"error in a choice":  {body: choice(`"finish_reason":"error","error":{"code":403,"message":"flagged"},"message":{"content":"# A"}`), err: "403 (the API key may not do this, or the text was flagged): flagged"},
		"finished in error":  {body: choice(`"finish_reason":"error","message":{"content":"# A"}`), err: "in the midst"},

		"stream": {body: ": OPENROUTER PROCESSING\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n" +
			"data: {\"choices\":[{\"delta\":{\"content\":\"# \"},\"finish_reason\":null}]}\r\n\r\n" +
			": OPENROUTER PROCESSING\n\ndata:{\"choices\":[{\"delta\":{\"content\":\"A\"},\"finish_reason\":\"stop\"}]}\n\n" +
			"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"cost\":0.5}}\n\ndata: [DONE]\n\n", want: "# A\n"},
		"stream without an end":  {body: "data: {\"choices\":[{\"delta\":{\"content\":\"# A\"},\"finish_reason\":\"stop\"}]}\n\n", want: "# A\n"},
		"stream, no finish":      {body: "data: {\"choices\":[{\"delta\":{\"content\":\"# A\"}}]}\n\ndata: [DONE]\n\n", want: "# A\n"},
		"stream breaks off":      {body: "data: {\"choices\":[{\"delta\":{\"content\":\"# A\"}}]}\n\n", err: "breaks off"},
		"stream, broken event":   {body: "data: {\"choices\":[{\"delta\":{\"cont\n\n", err: "broken"},
		"stream, error":          {body: "data: {\"choices\":[{\"delta\":{\"content\":\"# A\"}}]}\n\ndata: {\"error\":{\"code\":400,\"message\":\"gone\"},\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n", err: "400 (Bad Request): gone"},
		"stream, cut off":        {body: "data: {\"choices\":[{\"delta\":{\"content\":\"# A\"},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n", err: "cut off"},
		"stream, too long":       {body: strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\""+strings.Repeat("a", 1<<16)+"\"}}]}\n\n", 17), err: "too long"},
		"stream, one long line":  {body: "data: " + strings.Repeat("a", 5<<20), err: "breaks off"},
		"stream, delta in parts": {body: "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"# A\"}]},\"finish_reason\":\"stop\"}]}\n\n", want: "# A\n"},
	} {
		for _, kind := range []string{"application/json", "text/event-stream", ""} { // not every server knows its own
			t.Run(name+" "+kind, func(t *testing.T) {
				a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
					w.Header().Set("Content-Type", kind)
					w.Write([]byte(c.body))
				})
				got, err := a.model(t, func(o *openrouter.Options) { o.Attempts = 1 }).Enhance(ctx(t), part())
				switch {
				case c.err != "":
					if err == nil || !strings.Contains(err.Error(), c.err) || got != "" {
						t.Errorf("%q, %v; want %q", got, err, c.err)
					}
				case err != nil || got != c.want:
					t.Errorf("%q, %v; want %q", got, err, c.want)
				}
			})
		}
	}
}

// What was paid for is counted, whatever became of it.
func TestUsage_AnswerRefused_IsCounted(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Write([]byte(`{"choices":[{"finish_reason":"length","message":{"content":"# A"}}],"usage":{"prompt_tokens":5,"completion_tokens":9}}`))
	})
	m := a.model(t)
	m.Enhance(ctx(t), part())
	if got := m.Stats(); got != (openrouter.Stats{Parts: 1, Failed: 1, Requests: 1, PromptTokens: 5, CompletionTokens: 9}) {
		t.Errorf("%+v", got)
	}
}

// A body that never ends is read up to a bound.
func TestAnswer_EndlessBody_IsBounded(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		line := []byte(": OPENROUTER PROCESSING" + strings.Repeat(" ", 1<<16) + "\n")
		for r.Context().Err() == nil {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
	_, err := a.model(t, func(o *openrouter.Options) { o.Attempts = 1 }).Enhance(ctx(t), part())
	if err == nil || !strings.Contains(err.Error(), "breaks off") {
		t.Error(err)
	}
}
