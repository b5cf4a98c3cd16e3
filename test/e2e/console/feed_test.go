package console

import (
	"fmt"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// inSight is whether an element is inside the box of its feed, and how a test says it.
const inSight = `((e, box) => e.top >= box.top - 1 && e.bottom <= box.bottom + 1)(document.querySelector(%q).getBoundingClientRect(), document.querySelector('#relay-feed .scroll').getBoundingClientRect())`

// fullFeed opens a relay with more rows than the page can show at once.
func fullFeed(t *testing.T, d device) *page {
	t.Helper()
	g := harness.Serve(t, "--rate", "1000")
	p := open(t, d, g.HTTP("/"))
	p.enter(g.Key)
	p.relayTo("ws://echo.farwire.alt")
	p.fill("#relay-text", `{"of": ["a", "feed"], "and": {"of": "its rows"}}`)
	for range 40 {
		eval[any](p, `void document.querySelector('#relay-send').click()`)
	}
	p.awaitRows("relay-feed", 81)
	p.await(fmt.Sprintf(inSight, "#relay-feed .row:last-child"))
	return p
}

// Whoever opens the newest row, which is the lowest, sees what it holds.
func TestFeed_NewestRowOpened_IsSeenWhole(t *testing.T) {
	t.Parallel()
	for _, d := range []device{desktop, phone} {
		p := fullFeed(t, d)
		p.click("#relay-feed .row:last-child button.line")
		p.await(fmt.Sprintf(inSight, "#relay-feed .row:last-child .detail"))
		p.await(fmt.Sprintf(inSight, "#relay-feed .row:last-child .line"))
	}
}

// A row that is open stays where it is read, whatever comes after it.
func TestFeed_RowOpen_IsNotCarriedOff(t *testing.T) {
	t.Parallel()
	p := fullFeed(t, desktop)
	p.click("#relay-feed .row:nth-last-child(6) button.line")
	p.await(fmt.Sprintf(inSight, "#relay-feed .row:nth-last-child(6) .detail"))
	before := eval[float64](p, `document.querySelector('#relay-feed .detail').getBoundingClientRect().top`)
	for range 10 {
		eval[any](p, `void document.querySelector('#relay-send').click()`)
	}
	p.awaitRows("relay-feed", 101)
	if after := eval[float64](p, `document.querySelector('#relay-feed .detail').getBoundingClientRect().top`); after != before {
		t.Errorf("the open row went from %.0f to %.0f", before, after)
	}
}

// The newest row stays in sight when the screen changes, and when the panel was not
// shown while it came.
func TestFeed_ScreenOrPanelChanges_NewestStaysInSight(t *testing.T) {
	t.Parallel()
	p := fullFeed(t, desktop)
	for _, d := range []device{phone, {width: 740, height: 360, phone: true}, desktop} {
		p.use(d)
		p.await(fmt.Sprintf(`innerWidth === %d`, d.width))
		p.await(fmt.Sprintf(inSight, "#relay-feed .row:last-child"))
	}
	// The browser may tell of what it has scrolled before it tells of the size.
	eval[any](p, `void ((box) => { box.style.maxHeight = '9rem'; box.dispatchEvent(new Event('scroll')); })(document.querySelector('#relay-feed .scroll'))`)
	p.await(fmt.Sprintf(inSight, "#relay-feed .row:last-child"))
	p.click("#tab-http")
	for range 10 {
		eval[any](p, `void document.querySelector('#relay-send').click()`)
	}
	p.awaitRows("relay-feed", 101)
	p.click("#tab-relay")
	p.await(fmt.Sprintf(inSight, "#relay-feed .row:last-child"))
	// Whoever has gone up in the feed stays there.
	eval[any](p, `new Promise((done) => { const box = document.querySelector('#relay-feed .scroll'); box.addEventListener('scroll', () => setTimeout(done), {once: true}); box.scrollTop = 0; })`)
	p.use(phone)
	p.await(fmt.Sprintf(`innerWidth === %d`, phone.width))
	eval[any](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))`)
	if top := eval[float64](p, `document.querySelector('#relay-feed .scroll').scrollTop`); top != 0 {
		t.Errorf("the feed went to %.0f", top)
	}
}

// What an empty feed says is read from its beginning, on a phone too, where it has to be
// scrolled: when its panel is shown first, and when its rows were cleared.
func TestFeed_Empty_BeginsAtItsTop(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--rate", "1000")
	p := open(t, device{width: 375, height: 400, phone: true}, g.HTTP("/"))
	p.enter(g.Key)
	atTop := func(feed string) {
		t.Helper()
		p.await(fmt.Sprintf(`document.querySelector('#%s .empty').checkVisibility()`, feed))
		eval[any](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))`)
		if top := eval[float64](p, fmt.Sprintf(`document.querySelector('#%s .scroll').scrollTop`, feed)); top != 0 {
			t.Errorf("%s, empty, is scrolled to %.0f", feed, top)
		}
	}
	for _, panel := range []string{"crawl", "amqp", "relay"} {
		p.click("#tab-" + panel)
		atTop(panel + "-feed")
	}
	p.relayTo("ws://echo.farwire.alt")
	for range 20 {
		eval[any](p, `void document.querySelector('#relay-send').click()`)
	}
	p.awaitRows("relay-feed", 41)
	p.click("#relay-feed [aria-label='Clear frames']")
	atTop("relay-feed")
}
