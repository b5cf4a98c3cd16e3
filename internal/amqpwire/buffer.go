package amqpwire

import "io"

// fill waits for more bytes. An idle connection holds no buffer: it waits with
// the library's own, p, which is free until Read returns.
func (r *Reader) fill(p []byte) error {
	r.sink.Pause()
	if r.r == r.w {
		r.r, r.w = 0, 0
		if p = p[:min(len(p), sparse)]; r.last < len(p) {
			r.release()
			n, err := r.src.Read(p)
			if n > 0 {
				r.full = buffers.Get().(*[fullBuffer]byte)
				r.buf = r.full[:]
				r.w = copy(r.buf, p[:n])
			}
			return r.took(n, err)
		}
	} else if len(r.buf)-r.w < sparse {
		r.makeRoom()
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	return r.took(n, err)
}

func (r *Reader) took(n int, err error) error {
	r.last = n
	switch {
	case n > 0:
		return nil // an error comes again
	case err == nil:
		return io.ErrNoProgress
	case err == io.EOF && (r.w > 0 || r.stage != wantMethod):
		return io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom moves what is unread to the front, of a larger buffer when a single
// frame fills this one.
func (r *Reader) makeRoom() {
	unread := r.buf[r.r:r.w]
	if len(unread) == len(r.buf) {
		r.buf = make([]byte, MaxFrame+8)
	}
	r.r, r.w = 0, copy(r.buf, unread)
}

// release gives the buffers back.
func (r *Reader) release() {
	if r.full != nil {
		buffers.Put(r.full)
	}
	r.full, r.buf, r.scrap = nil, nil, nil
}
