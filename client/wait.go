package client

import (
	"context"
	"fmt"
	"time"
)

// How often Wait looks. It reads one row.
const (
	firstLook  = 50 * time.Millisecond // a message to an idle account has ended by then, more often than not
	latestLook = 2 * time.Second
)

// Wait returns the message once it has ended: Arrived tells whether it reached the
// user, State and Reason tell why not. A message may wait for days, held until its
// reason is gone, or for a person to decide what to do about it; so bound ctx. When ctx
// ends first, Wait returns the message as it was last seen and an error that wraps
// that of ctx.
func (c *Client) Wait(ctx context.Context, id string) (Message, error) {
	var last Message
	for look := firstLook; ; look = min(2*look, latestLook) {
		m, err := c.Message(ctx, id)
		if err != nil {
			return last, fmt.Errorf("wait for %s: %w", id, err)
		}
		if last = m; m.Final {
			return m, nil
		}
		pause := look
		if deadline, ok := ctx.Deadline(); ok { // look once more shortly before it
			pause = min(look, max(time.Until(deadline)/2, firstLook))
		}
		if err := sleep(ctx, pause); err != nil {
			return m, fmt.Errorf("wait for %s, which is %s: %w", id, m.State, err)
		}
	}
}
