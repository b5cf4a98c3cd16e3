package revoked

// Len returns how many keys and records it knows of.
func (t *Times) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last.Len()
}
