package leak_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestWait_GoroutineStays_ReturnsItsStack(t *testing.T) {
	before := goleak.IgnoreCurrent() // the runner of the tests
	if err := leak.Wait(time.Minute, before); err != nil {
		t.Errorf("before any goroutine was started: %v", err)
	}
	stop := make(chan struct{})
	started := make(chan struct{})
	go lingering(started, stop)
	<-started
	err := leak.Wait(10*time.Millisecond, before)
	close(stop)
	if err == nil || !strings.Contains(err.Error(), "leak_test.lingering") {
		t.Errorf("a goroutine that stays is not in %v", err)
	}
}

func lingering(started, stop chan struct{}) {
	close(started)
	<-stop
}
