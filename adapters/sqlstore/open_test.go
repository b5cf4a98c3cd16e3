package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// What is enrolled through one handle is there for another, and after both.
func TestOpenAgain(t *testing.T) {
	for _, d := range databases(t) {
		t.Run(d.name, func(t *testing.T) {
			ctx, url := context.Background(), d.url(t)
			one, two := open(t, url), open(t, url)
			l, err := one.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/"}, 1, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := two.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://example.com/"}, 1, time.Hour); !errors.Is(err, farwire.ErrTooManySites) {
				t.Errorf("enrolled: %v", err)
			}
			if err := two.Release(ctx, l); err != nil {
				t.Error(err)
			}
			if err := errors.Join(one.Close(), two.Close()); err != nil {
				t.Fatal(err)
			}
			if l, err := open(t, url).Claim(ctx, time.Hour); err != nil || l.Site.BaseURL != "https://docs.example.com/" {
				t.Errorf("claimed %+v, %v", l, err)
			}
		})
	}
}
