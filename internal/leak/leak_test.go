package leak_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestWait(t *testing.T) {
	if left := leak.Wait(time.Minute); left != "" {
		t.Errorf("nothing was started, and there is\n%s", left)
	}
	stop := make(chan struct{})
	started := make(chan struct{})
	go lingering(started, stop)
	<-started
	left := leak.Wait(10 * time.Millisecond)
	close(stop)
	if !strings.Contains(left, "leak_test.lingering") {
		t.Errorf("a goroutine that stays is not in\n%s", left)
	}
}

func lingering(started, stop chan struct{}) {
	close(started)
	<-stop
}
