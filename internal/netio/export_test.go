package netio

// Slots returns how many slots the loop has. It is for the owner, when the loop calls it.
func (c *LoopConn) Slots() int { return len(c.loop.conns) }
