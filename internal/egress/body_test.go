package egress

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An attempt may still wait for the client when the next one begins.
func TestBody_AttemptSuperseded_NothingIsLost(t *testing.T) {
	for _, sent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client, write := io.Pipe()
			b := NewBody(client)
			first, second := new(atomic.Bool), new(atomic.Bool)
			one, err := b.attempt(first)
			if err != nil {
				t.Fatal(err)
			}
			stale := make(chan error, 1)
			go func() {
				n, err := one.Read(make([]byte, 1)) // as net/http finds out whether there is a body
				if n != 0 {
					err = errors.New("bytes for an attempt that nobody sends")
				}
				stale <- err
			}()
			synctest.Wait()
			two, err := b.attempt(second)
			if err != nil {
				t.Fatal(err)
			}
			second.Store(sent)
			got := make(chan string, 1)
			go func() {
				all, err := io.ReadAll(two)
				if err != nil {
					t.Error(err)
				}
				got <- string(all)
			}()
			synctest.Wait()
			for part := range strings.SplitSeq("h,ello, world", ",") {
				if _, err := io.WriteString(write, part); err != nil {
					t.Error(err)
				}
			}
			write.Close()
			if text := <-got; text != "hello world" {
				t.Errorf("the second attempt has %q", text)
			}
			if err := <-stale; !errors.Is(err, errSuperseded) {
				t.Errorf("the first attempt: %v", err)
			}
			if b.Unsent() == sent {
				t.Errorf("sent %v, unsent %v", sent, b.Unsent())
			}
			three, err := b.attempt(second)
			if sent {
				if err == nil {
					t.Error("what was sent can be had again")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if all, err := io.ReadAll(three); err != nil || string(all) != "hello world" {
				t.Errorf("the third attempt has %q, %v", all, err)
			}
			if n, err := two.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errSuperseded) {
				t.Errorf("the second attempt goes on: %d, %v", n, err)
			}
		})
	}
}

// What is left of a body when its handler returns is the server's.
func TestBody_Stopped_IsReadNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := strings.NewReader("hello")
		b := NewBody(source)
		a, err := b.attempt(new(atomic.Bool))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		b.Stop()
		if n, err := a.Read(make([]byte, 2)); n != 0 || !errors.Is(err, errSuperseded) || source.Len() != 3 {
			t.Errorf("read %d, %v, and %d bytes are left", n, err, source.Len())
		}

		client, write := io.Pipe()
		b = NewBody(client)
		if a, err = b.attempt(new(atomic.Bool)); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() { _, err := a.Read(make([]byte, 2)); read <- err }()
		synctest.Wait()
		began := time.Now()
		b.Stop() // does not wait for the client
		if took := time.Since(began); took != stopPatience {
			t.Errorf("it took %v", took)
		}
		write.Close()
		if err := <-read; err == nil {
			t.Error("the read under way has no error")
		}
		(*Body)(nil).Stop()
	})
}
