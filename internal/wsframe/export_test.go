package wsframe

import (
	"time"
	"unsafe"
)

// In tests a client has a goroutine at once, as soon as its target is dialled.
func init() { holdAfter = 0 }

// HoldAfter has it wait until restore is called.
func HoldAfter(d time.Duration) (restore func()) {
	holdAfter = d
	return func() { holdAfter = 0 }
}

// PauseSoon has no goroutine wait for a side that is silent for a moment. It is called
// before Start.
func (p *Pipe) PauseSoon() { p.cfg.quiet = time.Millisecond }

// BigBuffers tells how many pooled buffers the flows of a session hold whose
// sources can only block.
func (p *Pipe) BigBuffers() (n int) {
	for _, f := range []*flow{&p.toTarget, &p.toClient} {
		if f.grown.Load() {
			n++
		}
	}
	return n
}

// PipeSize is the size of a Pipe in bytes.
const PipeSize = unsafe.Sizeof(Pipe{})
