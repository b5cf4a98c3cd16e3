package redislimit

// Accounts returns of how many accounts the Limiter keeps what runs at a time.
func (l *Limiter) Accounts() int {
	l.slots.mu.Lock()
	defer l.slots.mu.Unlock()
	return len(l.slots.of)
}
