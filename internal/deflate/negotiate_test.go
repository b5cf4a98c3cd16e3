package deflate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/deflate"
)

func TestOffers_Invalid_AreLeftOut(t *testing.T) {
	for _, tt := range []struct {
		values []string
		want   string // joined by |
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"permessage-deflate"}, "permessage-deflate"},
		{[]string{"permessage-deflate; client_max_window_bits"}, "permessage-deflate; client_max_window_bits"},
		{[]string{" Permessage-Deflate ;client_max_window_bits=\"10\" , x-webkit-deflate-frame"}, `Permessage-Deflate ;client_max_window_bits="10"`},
		{[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate", "permessage-bzip2"}, "permessage-deflate; server_max_window_bits=10|permessage-deflate"},
		{[]string{"permessage-deflate; server_max_window_bits"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=7"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=08"}, ""},
		{[]string{"permessage-deflate; client_no_context_takeover=1"}, ""},
		{[]string{"permessage-deflate; mystery"}, ""},
		{[]string{"permessage-deflate; client_no_context_takeover; client_no_context_takeover"}, ""},
	} {
		if got := strings.Join(deflate.Offers(tt.values), "|"); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.values, got, tt.want)
		}
	}
}

func TestFitsStateless_ContextTakeover_Decides(t *testing.T) {
	for offer, want := range map[string]bool{
		"permessage-deflate":                                                true,
		"permessage-deflate; client_max_window_bits":                        true,
		"permessage-deflate; client_no_context_takeover":                    true,
		"permessage-deflate; server_no_context_takeover":                    false,
		"permessage-deflate; server_max_window_bits=10":                     false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": true,
		"permessage-bzip2":                                                  false,
	} {
		if got := deflate.FitsStateless(deflate.Offers([]string{offer})); got != want {
			t.Errorf("%q: %v, want %v", offer, got, want)
		}
	}
}

func TestAgreed_AnswerOutsideTheOffer_Fails(t *testing.T) {
	for _, tt := range []struct {
		answer, offers string
		want           string
		fails          bool
	}{
		{"", "permessage-deflate", "", false},
		{"", "", "", false},
		{"permessage-deflate", "permessage-deflate", "permessage-deflate", false},
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", deflate.Stateless, "permessage-deflate; server_no_context_takeover; client_no_context_takeover", false},
		{"permessage-deflate; server_max_window_bits=9", deflate.Stateless, "permessage-deflate; server_max_window_bits=9", false},
		{"permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9", false},
		{"permessage-deflate; client_max_window_bits=12", "permessage-deflate; client_max_window_bits=10, permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=12", false},
		{"permessage-deflate; client_max_window_bits=9", deflate.Stateless, "", true},
		{"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits", "", true},
		{"permessage-deflate; server_max_window_bits=12", "permessage-deflate; server_max_window_bits=10", "", true},
		{"permessage-deflate", "permessage-deflate; server_max_window_bits=10", "", true},
		{"permessage-deflate", "permessage-deflate; server_no_context_takeover", "", true},
		{"permessage-deflate", "", "", true},
		{"permessage-bzip2", "permessage-deflate", "", true},
		{"permessage-deflate, permessage-deflate", "permessage-deflate", "", true},
		{"permessage-deflate; mystery=1", "permessage-deflate", "", true},
	} {
		got, err := deflate.Agreed([]string{tt.answer}, deflate.Offers([]string{tt.offers}))
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%q to %q: %q, %v, want %q", tt.answer, tt.offers, got, err, tt.want)
		}
	}
}

// FuzzOffers gives the parser what any client may send. What it lets through is
// part of what was sent, and is read in the same way once more.
func FuzzOffers(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits, x; y=\"a,b\"")
	f.Add(`permessage-deflate; server_max_window_bits="1`)
	f.Fuzz(func(t *testing.T, value string) {
		offers := deflate.Offers([]string{value})
		for _, o := range offers {
			if !strings.Contains(value, o) {
				t.Fatalf("%q is not in %q", o, value)
			}
		}
		if again := deflate.Offers(offers); !slices.Equal(again, offers) {
			t.Fatalf("%q became %q", offers, again)
		}
		if _, err := deflate.Agreed([]string{value}, nil); err == nil && strings.Trim(value, " \t,") != "" {
			t.Fatalf("%q was agreed on, and nothing was offered", value)
		}
	})
}
