package callback

import (
	"context"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// consentEvents begin the types of the events about subscribe messages (spec §7.4).
const consentEvents = "subscribe_msg_"

// consentsIn reads what an event tells of users' consents, nil when it tells nothing.
func consentsIn(stored *hongyan.Event) []hongyan.ConsentChange {
	if !strings.HasPrefix(stored.Type, consentEvents) {
		return nil
	}
	e, err := wechat.ParseEvent(stored.Body)
	if err != nil {
		return nil // receiptsIn says so
	}
	at := createTime(e)
	if at.IsZero() {
		at = stored.ReceivedAt
	}
	var changes []hongyan.ConsentChange
	for i := range e.Items {
		item := &e.Items[i]
		if act := consentAct(&e, item); act != 0 && item.TemplateID != "" {
			changes = append(changes, hongyan.ConsentChange{
				AppID: stored.AppID, OpenID: e.FromUserName, TemplateID: item.TemplateID, Act: act, At: at,
			})
		}
	}
	return changes
}

// consentAct is what one item of an event says; 0 = nothing of consent. A message that
// failed for another reason than consent took no send away.
func consentAct(e *wechat.Event, item *wechat.SubscribeItem) hongyan.ConsentAct {
	accepted := strings.EqualFold(item.SubscribeStatus, "accept")
	rejected := strings.EqualFold(item.SubscribeStatus, "reject")
	switch {
	case e.Is(wechat.EventSubscribeMsgPopup) && accepted:
		return hongyan.ConsentAccepted
	case e.Is(wechat.EventSubscribeMsgPopup) && rejected:
		return hongyan.ConsentDeclined
	case e.Is(wechat.EventSubscribeMsgChange) && rejected:
		return hongyan.ConsentRevoked
	case e.Is(wechat.EventSubscribeMsgSent) && item.ErrorCode == 0:
		return hongyan.ConsentSent
	case e.Is(wechat.EventSubscribeMsgSent) && item.ErrorCode == int(wechat.CodeUserRefused):
		return hongyan.ConsentRefused
	}
	return 0
}

// consented tells of the changes that a batch of events made, once they are stored.
func (c *Callback) consented(ctx context.Context, changes []hongyan.ConsentChange) {
	if c.onConsents != nil && len(changes) > 0 {
		c.onConsents(ctx, changes)
	}
}
