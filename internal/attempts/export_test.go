package attempts

// Len returns how many networks are kept.
func (c *Counter) Len() int { return c.of.Len() }
