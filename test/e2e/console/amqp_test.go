package console

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

func (p *page) fillBroker(n *rabbitmq.Node, user, password string) {
	p.t.Helper()
	p.click("#tab-amqp")
	p.fill("#amqp-host", "127.0.0.1")
	p.fill("#amqp-port", strconv.Itoa(n.Port))
	p.fill("#amqp-username", user)
	p.fill("#amqp-password", password)
}

func TestAMQP_MessagesPublished_AreShown(t *testing.T) {
	t.Parallel()
	n := startBroker(t)
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.fillBroker(n, rabbitmq.Admin, rabbitmq.AdminSecret)
	p.fill("#amqp-key", "market.#")
	p.click("#amqp-start")
	p.says("#amqp-status", "Streaming through farwire-local from the queue scrape_local_")

	if err := n.Publish(map[string]amqp091.Publishing{
		"market.btc.tick": {ContentType: "application/json", Body: []byte(`{"symbol":"BTC-USD","price":98231.50,"side":"buy"}`),
			MessageId: "m-1", Timestamp: time.Unix(1760000000, 0), Headers: amqp091.Table{"source": "exchange-a"}},
		"market.raw":  {Body: []byte{0xff, 0xfe, 0x00, 'h', 'i'}},
		"market.html": {Body: []byte(`<img src=x onerror="document.title='owned'">`)},
		"other.thing": {Body: []byte("not for us")},
	}); err != nil {
		t.Fatal(err)
	}
	p.awaitRows("amqp-feed", 3)
	open := func(text string) string {
		css := fmt.Sprintf(`[...document.querySelectorAll('#amqp-feed .row')].find((row) => row.innerText.includes(%s))`, quote(text))
		eval[any](p, css+`.querySelector('button').click()`)
		p.await(css + `.querySelector('.detail')`)
		return eval[string](p, css+`.innerText`)
	}
	for key, wants := range map[string][]string{
		"market.btc.tick": {"\"symbol\": \"BTC-USD\",\n  \"price\": 98231.50", "message id\nm-1", `{"source":"exchange-a"}`, "50 B"},
		"market.raw":      {"sent it in base64", "ff fe 00 68 69", "···hi", "5 B"},
		"market.html":     {"<img src=x"},
	} {
		row := open(key)
		for _, want := range wants {
			if !strings.Contains(row, want) {
				t.Errorf("the row of %s lacks %q:\n%s", key, want, row)
			}
		}
	}
	p.shot("amqp")
	if title := eval[string](p, `document.title`); title != "AMQP · Farwire" {
		t.Errorf("a message has changed the page: %s", title)
	}

	p.click("#amqp-start")
	p.says("#amqp-status", "Stopped. The queue is gone.")
	if err := n.Publish(map[string]amqp091.Publishing{"market.late": {Body: []byte("late")}}); err != nil {
		t.Fatal(err)
	}
	if notice := p.text("#amqp-notice"); notice != "" {
		t.Errorf("stopping is called trouble: %s", notice)
	}
	p.awaitRows("amqp-feed", 3)
}

func TestAMQP_Refused_IsShown(t *testing.T) {
	t.Parallel()
	n := startBroker(t)
	open1, guarded := harness.Serve(t, "--allow-private"), harness.Serve(t)
	p := open(t, desktop, open1.HTTP("/"))
	p.expect("400 (Bad Request)")
	p.enter(open1.Key)
	p.fillBroker(n, rabbitmq.Admin, rabbitmq.AdminSecret)
	p.click("#amqp .more summary")
	for _, c := range []struct{ field, wrong, right, title string }{
		{"#amqp-host", "", "127.0.0.1", "Enter the broker to read from."},
		{"#amqp-heartbeat", "-1", "60", "The request cannot be served as it is."},
		{"#amqp-port", "1", strconv.Itoa(n.Port), "Nothing listens at that address."},
		{"#amqp-exchange", "no-such", "amq.topic", "The broker has no such exchange."},
		{"#amqp-vhost", "no-such", "/", "The broker has no such virtual host."},
		{"#amqp-password", "wrong", rabbitmq.AdminSecret, "The broker refused the username or the password."},
	} {
		p.fill(c.field, c.wrong)
		p.click("#amqp-start")
		p.says("#amqp-notice", c.title)
		p.await(`!document.querySelector('#amqp-fields').disabled`)
		p.fill(c.field, c.right)
	}
	// The usual port goes with the tick, an unusual one stays.
	p.click("#amqp-ssl")
	p.await(`document.querySelector('#amqp-port').value === '` + strconv.Itoa(n.Port) + `'`)
	p.click("#amqp-ssl")
	p.fill("#amqp-port", "5672")
	p.click("#amqp-ssl")
	p.await(`document.querySelector('#amqp-port').value === '5671'`)

	p = open(t, desktop, guarded.HTTP("/"))
	p.enter(guarded.Key)
	p.fillBroker(n, rabbitmq.Admin, rabbitmq.AdminSecret)
	p.click("#amqp-start")
	p.says("#amqp-notice", "The agent does not go to that address.")
}

// A gateway that drains ends the stream with an event; one that dies does not.
func TestAMQP_GatewayDrainsOrDies_IsShown(t *testing.T) {
	t.Parallel()
	n := startBroker(t)
	for _, end := range []struct {
		how   func(g *harness.Gateway)
		title string
	}{
		{func(g *harness.Gateway) { g.Stop() }, "The gateway is shutting down."},
		{func(g *harness.Gateway) { g.Signal(os.Kill); <-g.Done() }, "The connection to the gateway was lost."},
	} {
		g := harness.Serve(t, "--allow-private")
		p := open(t, desktop, g.HTTP("/"))
		p.expect("net::ERR_") // however an answer ends whose gateway goes
		p.enter(g.Key)
		p.fillBroker(n, rabbitmq.Admin, rabbitmq.AdminSecret)
		p.click("#amqp-start")
		p.says("#amqp-status", "Streaming through")
		end.how(g)
		p.says("#amqp-notice", end.title)
		p.says("#amqp-status", "The stream has ended.")
	}
}

// A queue that exists, of which the page has an offset, several keys, and a rate.
func TestAMQP_ExistingQueueAndSeveralKeys_AreShown(t *testing.T) {
	t.Parallel()
	n := startBroker(t)
	conn, err := amqp091.Dial(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("log", true, false, false, false, amqp091.Table{"x-queue-type": "stream"}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"zero", "one", "two"} {
		if err := ch.Publish("", "log", false, false, amqp091.Publishing{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.fillBroker(n, rabbitmq.Admin, rabbitmq.AdminSecret)
	p.fill("#amqp-key", "a.#\nb.*")
	p.click("#amqp-start")
	p.says("#amqp-status", "Streaming through farwire-local from the queue scrape_local_")
	p.says("#amqp-rate", "a second")
	if err := n.Publish(map[string]amqp091.Publishing{"a.b.c": {}, "b.c": {}, "c": {}}); err != nil {
		t.Fatal(err)
	}
	p.awaitRows("amqp-feed", 2)
	p.click("#amqp-start")
	p.says("#amqp-status", "Stopped. The queue is gone.")

	eval[any](p, `{ const s = document.querySelector('#amqp-source'); s.value = 'existing'; s.dispatchEvent(new Event('change')); }`)
	p.fill("#amqp-queue", "log")
	p.fill("#amqp-offset", "1")
	p.click("#amqp-start")
	p.says("#amqp-status", "Streaming through farwire-local from the queue log.")
	p.awaitRows("amqp-feed", 4)
	eval[any](p, `[...document.querySelectorAll('#amqp-feed .row')].at(-1).querySelector('button').click()`)
	p.await(`document.querySelector('#amqp-feed .detail')`)
	if row := eval[string](p, `document.querySelector('#amqp-feed .detail').innerText`); !strings.Contains(row, "two") || !strings.Contains(row, "offset\n2") {
		t.Errorf("the row has %q", row)
	}
	p.shot("amqp-queue")
	p.click("#amqp-start")
	p.says("#amqp-status", "Stopped. The queue is as it was.")
}
