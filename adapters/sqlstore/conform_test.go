package sqlstore_test

import (
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sitetest"
)

func TestConformance(t *testing.T) {
	for _, d := range databases(t) {
		t.Run(d.name, func(t *testing.T) {
			sitetest.Run(t, func(t *testing.T) sitetest.Open {
				url := d.url(t)
				return func(t *testing.T) farwire.SiteStore { return open(t, url) }
			})
		})
	}
}
