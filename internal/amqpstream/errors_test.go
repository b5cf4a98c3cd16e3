package amqpstream_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/fault"
)

// What a broker says to a step of the set-up, in words and with a reason that
// tells whether connecting again is worth while.
func TestConsume_Refused_NamesTheCause(t *testing.T) {
	for _, c := range []struct {
		name  string
		sub   *amqpstream.Subscription
		at    brokertest.Method
		code  uint16
		says  string
		want  string
		class fault.Class
	}{
		{"unknown exchange", own(), brokertest.QueueBind, 404, "NOT_FOUND - no exchange 'ex' in vhost '/'", `exchange "ex" not found`, fault.TargetRefused},
		{"unknown queue", existing(), brokertest.Consume, 404, "NOT_FOUND - no queue 'feed' in vhost '/'", `queue "feed" not found`, fault.TargetRefused},
		{"binding forbidden", own(), brokertest.QueueBind, 403, "ACCESS_REFUSED - access to exchange 'ex'", `no permission: access to exchange 'ex'`, fault.TargetRefused},
		{"exclusive elsewhere", existing(), brokertest.Consume, 403, "ACCESS_REFUSED - queue 'feed' in vhost '/' in exclusive use", `no permission: queue 'feed' in vhost '/' in exclusive use`, fault.TargetRefused},
		{"of another connection", existing(), brokertest.Consume, 405, "RESOURCE_LOCKED - cannot obtain exclusive access", `the broker refused: 405 cannot obtain exclusive access`, fault.TargetRefused},
		{"arguments", own(), brokertest.QueueBind, 406, "PRECONDITION_FAILED - Invalid x-match", `the broker refused: 406 Invalid x-match`, fault.TargetRefused},
		{"restart", own(), brokertest.QueueDeclare, 320, "CONNECTION_FORCED - broker forced connection closure", `the broker is shutting down or its operator closed the connection`, fault.TargetLost},
		{"trouble", own(), brokertest.QueueDeclare, 541, "INTERNAL_ERROR", `the broker refused: 541 INTERNAL_ERROR`, fault.TargetLost},
	} {
		b := &brokertest.Broker{Refuse: func(m brokertest.Method, _ []byte) (uint16, string) {
			if m == c.at {
				return c.code, c.says
			}
			return 0, ""
		}}
		_, err := consume(t, b, c.sub)
		if err == nil || err.Error() != c.want || !fault.Is(err, c.class) {
			t.Errorf("%s: %v, class %v", c.name, err, fault.ClassOf(err))
		}
	}
}

// Where there is no password the user name is one, and no error holds any of it.
func TestConsume_NoPassword_UserNameIsSecret(t *testing.T) {
	for _, user := range []string{"uof-access-token-77", "abc", strings.Repeat("token", 60)} {
		text := "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user '" + user + "'"
		text = text[:min(len(text), 255)] // a broker's limit
		b := &brokertest.Broker{Refuse: func(m brokertest.Method, _ []byte) (uint16, string) {
			if m == brokertest.QueueBind {
				return 403, text
			}
			return 0, ""
		}}
		sub := own()
		sub.Username, sub.Password = user, ""
		_, err := consume(t, b, sub)
		if err == nil || !strings.HasPrefix(err.Error(), "no permission: ") {
			t.Fatalf("%v", err)
		}
		for n := len(user); n >= 4; n-- {
			if strings.Contains(err.Error(), user[:n]) {
				t.Errorf("%q tells %q", err, user[:n])
				break
			}
		}
		if user == "abc" && strings.Contains(err.Error(), user) {
			t.Errorf("%q tells a short user name", err)
		}

		b = &brokertest.Broker{Serve: func(c *brokertest.Conn) {
			c.Method(0, brokertest.Method{Class: 10, ID: 50}, brokertest.CloseArgs(403, text))
		}}
		c := mustConsume(t, b, sub)
		<-c.Ended()
		if got := c.Err().Error(); !fault.Is(c.Err(), fault.TargetRefused) || strings.Contains(got, user[:min(len(user), 8)]) {
			t.Errorf("later: %q", got)
		}
	}
}

// After the set-up a broker's end of the consumer says little about the next one.
func TestConsumer_EndedByBroker_SaysWhetherToRetry(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(*brokertest.Conn)
		want  string
		class fault.Class
	}{
		{"cancelled", func(c *brokertest.Conn) {
			c.Method(c.Channel, brokertest.Method{Class: 60, ID: 30}, brokertest.ShortString("farwire"), []byte{1})
		}, "the broker cancelled the consumer: the queue was deleted or its node is gone", fault.TargetLost},
		{"too late", func(c *brokertest.Conn) {
			c.Method(c.Channel, brokertest.Method{Class: 20, ID: 40}, brokertest.CloseArgs(406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"))
		}, "the broker refused: 406 delivery acknowledgement on channel 1 timed out", fault.TargetLost},
		{"shut down", func(c *brokertest.Conn) {
			c.Method(0, brokertest.Method{Class: 10, ID: 50}, brokertest.CloseArgs(320, "CONNECTION_FORCED - 10.0.0.1 leaves"))
		}, "the broker is shutting down or its operator closed the connection", fault.TargetLost},
		{"permission withdrawn", func(c *brokertest.Conn) {
			c.Method(0, brokertest.Method{Class: 10, ID: 50}, brokertest.CloseArgs(530, "NOT_ALLOWED - user deleted"))
		}, "no permission: user deleted", fault.TargetRefused},
		{"cut", func(c *brokertest.Conn) { c.End() }, "the broker closed the connection: EOF", fault.TargetLost},
		{"broken", func(c *brokertest.Conn) { c.Frame(9, 1, nil) }, "broken AMQP frame: type 9", fault.TargetRefused},
	} {
		got := mustConsume(t, &brokertest.Broker{Serve: c.end}, own())
		<-got.Ended()
		if err := got.Err(); err.Error() != c.want || !fault.Is(err, c.class) {
			t.Errorf("%s: %v, class %v", c.name, err, fault.ClassOf(err))
		}
	}
}

func TestConsume_MechanismsOffered_DecideTheLogin(t *testing.T) {
	with := func(user, password string, certificate bool) *amqpstream.Subscription {
		sub := own()
		sub.Username, sub.Password, sub.Certificate = user, password, certificate
		return sub
	}
	for _, c := range []struct {
		name, offered string
		sub           *amqpstream.Subscription
		want          string // the login, or the error
	}{
		{"certificate alone", "PLAIN EXTERNAL", with("", "", true), "\x08EXTERNAL"},
		{"certificate and password", "EXTERNAL PLAIN", with("u", "p", true), "\x05PLAIN\x00\x00\x00\x04\x00u\x00p"},
		{"EXTERNAL not offered", "PLAIN", with("", "", true), "the broker does not accept a client certificate as a login (EXTERNAL)"},
		{"only EXTERNAL", "EXTERNAL", with("u", "p", false), "the broker offers no login mechanism that takes a username and password"},
	} {
		b := &brokertest.Broker{Mechanisms: c.offered}
		_, err := consume(t, b, c.sub)
		if err != nil && err.Error() != c.want || err == nil && !strings.HasPrefix(b.Login(), c.want) {
			t.Errorf("%s: login %q, %v", c.name, b.Login(), err)
		}
	}
}

// What a broker refuses in the second step of a set-up is told, whichever it is: after it has
// refused a name or an offset, and on the channel that is opened for another try.
func TestConsume_RefusedAgain_NamesTheCause(t *testing.T) {
	const forbidden, notStreamText = "ACCESS_REFUSED - access refused", "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'feed'"
	type answer struct {
		at   brokertest.Method
		nth  int
		code uint16
		says string
	}
	after := existing()
	after.After = new(int64)
	for name, c := range map[string]struct {
		sub     *amqpstream.Subscription
		answers []answer
		want    string
		class   fault.Class
		asked   int // times that a queue is declared or consumed
	}{
		"name, then trouble": {own(), []answer{{brokertest.QueueDeclare, 1, 403, forbidden}, {brokertest.QueueDeclare, 2, 541, "INTERNAL_ERROR"}},
			"the broker refused: 541 INTERNAL_ERROR", fault.TargetLost, 2},
		"name, then a limit": {own(), []answer{{brokertest.QueueDeclare, 1, 403, forbidden}, {brokertest.QueueDeclare, 2, 406, "PRECONDITION_FAILED - queue limit"}},
			"the broker refused: 406 queue limit", fault.TargetRefused, 2},
		"name, then a channel": {own(), []answer{{brokertest.QueueDeclare, 1, 403, forbidden}, {brokertest.ChannelOpen, 2, 506, "RESOURCE_ERROR - channels"}},
			"the broker refused: 506 channels", fault.TargetLost, 1},
		"offset, then exclusive": {existing(), []answer{{brokertest.Consume, 1, 406, notStreamText}, {brokertest.Consume, 2, 403, forbidden}},
			"no permission: access refused", fault.TargetRefused, 2},
		"later offset, then exclusive": {after, []answer{{brokertest.Consume, 1, 406, notStreamText}, {brokertest.Consume, 2, 403, forbidden}},
			"no permission: access refused", fault.TargetRefused, 2},
		"offset, then a channel": {existing(), []answer{{brokertest.Consume, 1, 406, notStreamText}, {brokertest.ChannelOpen, 2, 506, "RESOURCE_ERROR - channels"}},
			"the broker refused: 506 channels", fault.TargetLost, 1},
		"offset, then a prefetch": {existing(), []answer{{brokertest.Consume, 1, 406, notStreamText}, {brokertest.Qos, 2, 540, "NOT_IMPLEMENTED - prefetch"}},
			"the broker refused: 540 prefetch", fault.TargetRefused, 1},
		"another argument": {existing(), []answer{{brokertest.Consume, 1, 406, "PRECONDITION_FAILED - invalid arg 'x-priority'"}},
			"the broker refused: 406 invalid arg 'x-priority'", fault.TargetRefused, 1},
		"an offset by another code": {existing(), []answer{{brokertest.Consume, 1, 405, "RESOURCE_LOCKED - x-stream-offset"}},
			"the broker refused: 405 x-stream-offset", fault.TargetRefused, 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[brokertest.Method]int{}
			b := &brokertest.Broker{Refuse: func(m brokertest.Method, _ []byte) (uint16, string) {
				seen[m]++
				for _, a := range c.answers {
					if a.at == m && a.nth == seen[m] {
						return a.code, a.says
					}
				}
				return 0, ""
			}}
			_, err := consume(t, b, c.sub)
			if err == nil || err.Error() != c.want || !fault.Is(err, c.class) {
				t.Errorf("%v, class %v", err, fault.ClassOf(err))
			}
			if n := len(b.Asked(brokertest.QueueDeclare)) + len(b.Asked(brokertest.Consume)); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}
