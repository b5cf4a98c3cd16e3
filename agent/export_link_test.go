package agent

// Conns returns how many connections, and dials under way, the pool's links know.
func (p *Pool) Conns() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		for _, l := range e.links {
			l.mu.Lock()
			n += len(l.conns)
			l.mu.Unlock()
		}
	}
	return n
}
