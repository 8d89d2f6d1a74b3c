package deliver

import (
	"context"
	"strings"
	"time"

	"hongyan"
	"hongyan/wechat"
)

const (
	// unknownFor is how long a receipt waits for its message to be known. Calls to
	// WeChat end within 15 s, and receipts are joined by user and time after 30 s.
	unknownFor = 2 * time.Minute
	// askAgain is the first pause; each later one is as long as it has waited.
	askAgain = 5 * time.Second
)

var (
	finishType = strings.ToLower(wechat.EventTemplateSendJobFinish)
	sentType   = strings.ToLower(wechat.EventSubscribeMsgSent)
)

// bodyOf returns what is handed on for an event: WeChat's bytes, but for the msgid
// of a message whose sender was answered with a number of ours (design §3.3). wait
// is how long to put it off because that cannot be told yet.
func (s *Sender) bodyOf(ctx context.Context, e *hongyan.Event) (body []byte, wait time.Duration, err error) {
	if e.Type != finishType && e.Type != sentType {
		return e.Body, 0, nil
	}
	receipt, err := wechat.ParseEvent(e.Body)
	if err != nil {
		return e.Body, 0, nil // kept and handed on as it came
	}
	own := map[int64]int64{}
	for _, id := range receipt.MsgIDs() {
		number, open, err := s.store.HandedOnMsgID(ctx, e.AppID, id, receipt.FromUserName)
		if err != nil {
			return nil, 0, err
		}
		if age := s.store.Now().Sub(e.ReceivedAt); open && age < unknownFor {
			return nil, min(max(age, askAgain), unknownFor-age), nil
		}
		if number != 0 {
			own[id] = number
		}
	}
	if len(own) == 0 {
		return e.Body, 0, nil
	}
	if body, err = wechat.ReplaceMsgIDs(e.Body, own); err != nil {
		return nil, 0, err
	}
	return body, 0, nil
}
