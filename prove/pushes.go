package prove

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/wechat"
)

// strangeMsgID is a msgid that no message of any rig has.
const strangeMsgID = 4242424242

// runReceipts is test 15: receipts early, doubled, doubled a hundred times,
// unknown, late, contradicting, and without a msgid. The first one counts, once.
func runReceipts(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	bends := []mischief{
		{"early_event": true}, {"double_event": true}, {"late_event_ms": 3000}, {"contradict_event": true}, {"event_msgid_zero": true},
		{"drop_answer": true, "early_event": true},
	}
	const each = 20
	for i := range each * len(bends) {
		m := mischief{"path": sendPath, "openid": userOf(i), "times": 1}
		for name, v := range bends[i%len(bends)] {
			m[name] = v
		}
		if err := r.wx.fault(ctx, m); err != nil {
			return err
		}
	}
	l, w := &load{r: r, messages: each * len(bends), over: 5 * time.Second, compose: r.orders(shop)}, &watch{r: r}
	endWatch := w.begin(ctx)
	defer endWatch()
	l.run(ctx)
	if err := r.manyPushes(ctx, t); err != nil {
		return err
	}
	if err := pause(ctx, 3*time.Second); err != nil { // the contradicting ones come a second later
		return err
	}
	return t.judgeWatched(ctx, r, []*load{l}, w, endWatch)
}

// manyPushes pushes one receipt of an unknown message a hundred times at once.
// It is one event, and changes no message.
func (r *rig) manyPushes(ctx context.Context, t *trial) error {
	const times = 100
	body := finished(userOf(1_000_000), strangeMsgID, "success", time.Now())
	var wg sync.WaitGroup
	errs := make([]error, times)
	for i := range times {
		wg.Go(func() {
			status, err := r.push(ctx, shop, body, sandbox.SeedCallbackToken)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("push %d: HTTP %d", i, status)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	rows, again, err := r.eventsOf(ctx, shop, fmt.Sprint(strangeMsgID))
	if err != nil {
		return err
	}
	t.want(rows == 1 && again == times-1, "%d identical pushes made %d events with %d repetitions, want 1 with %d", times, rows, again, times-1)
	t.figure("identical_pushes", times)
	return nil
}

// eventsOf counts the stored events with a msgid, and their repetitions.
func (r *rig) eventsOf(ctx context.Context, appID, msgid string) (rows, again int, err error) {
	f := client.PushFilter{AppID: appID, Limit: 1000}
	for {
		list, err := r.api().Pushes(ctx, f)
		if err != nil {
			return 0, 0, err
		}
		for _, e := range list.Items {
			if e.MsgID != nil && *e.MsgID == msgid {
				rows++
				again += e.Duplicates
			}
		}
		if list.NextCursor == nil {
			return rows, again, nil
		}
		f.Cursor = *list.NextCursor
	}
}

// finished is the event TEMPLATESENDJOBFINISH (spec §5.1).
func finished(openID string, msgid int64, status string, at time.Time) []byte {
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA[gh_a1a1a1a1a1a1]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>%d</CreateTime>"+
		"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>%d</MsgID><Status><![CDATA[%s]]></Status></xml>",
		openID, at.Unix(), msgid, status)
}

// push posts a push of ours, signed with a token, and returns the status.
func (r *rig) push(ctx context.Context, appID string, body []byte, token string) (int, error) {
	p, err := wechat.NewPusher(wechat.PusherConfig{AppID: appID, Token: token})
	if err != nil {
		return 0, err
	}
	sealed, err := p.Push(body, "", time.Now())
	if err != nil {
		return 0, err
	}
	return r.postPush(ctx, appID, sealed.Query, sealed.Body)
}

func (r *rig) postPush(ctx context.Context, appID string, query url.Values, body []byte) (int, error) {
	target := r.nodes[0].url() + "/callback/" + appID + "?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "text/xml")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// safe is an account in safe mode, so that encrypted pushes can be tried.
const safe = "wxf6f6f6f6f6f6f6f6"

// runHostile is test 16: pushes that are not from WeChat. None is stored, none
// ends a message, and meanwhile right ones are answered as ever.
func runHostile(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{})
	if err != nil {
		return err
	}
	if err := r.addSafe(ctx); err != nil {
		return err
	}
	m, err := r.silent(ctx, shop, 1)
	if err != nil {
		return err
	}
	before, err := r.countEvents(ctx)
	if err != nil {
		return err
	}
	if err := r.attacks(ctx, t, m); err != nil {
		return err
	}
	after, err := r.countEvents(ctx)
	if err != nil {
		return err
	}
	t.want(after == before, "%d hostile pushes were stored", after-before)
	now, err := r.api().Message(ctx, m.ID)
	if err != nil {
		return err
	}
	t.want(now.State == "accepted" && now.Receipt == nil, "a hostile receipt made the message %s", now.State)
	return r.slowloris(ctx, t)
}

// addSafe adds the account in safe mode to the gateway alone.
func (r *rig) addSafe(ctx context.Context) error {
	_, err := r.api().CreateAccount(ctx, client.AccountRequest{
		AppID: safe, Secret: secretOf(safe), Kind: "service", BaseURL: r.wx.base,
		Callback: &client.CallbackInput{Token: new(sandbox.SeedCallbackToken), AESKey: new(sandbox.SeedAESKey), Mode: new("safe")},
	})
	return err
}

// silent sends a message whose event never comes, and waits until it is accepted.
func (r *rig) silent(ctx context.Context, appID string, number int) (client.Message, error) {
	req := r.who.order(appID, sandbox.OpenID("NOEVT", number), "S")
	sent, err := r.api().Send(ctx, req)
	if err != nil {
		return client.Message{}, err
	}
	return r.awaitState(ctx, sent.Message.ID, 10*time.Second, "accepted")
}

// countEvents counts all stored events, up to a page of each account.
func (r *rig) countEvents(ctx context.Context) (int, error) {
	list, err := r.api().Pushes(ctx, client.PushFilter{Limit: 1000})
	return len(list.Items), err
}

// attack is one push that must be refused.
type attack struct {
	name  string
	appID string
	query url.Values
	body  []byte
	want  []int
}

// attacks tries every one.
func (r *rig) attacks(ctx context.Context, t *trial, m client.Message) error {
	all, err := hostile(m)
	if err != nil {
		return err
	}
	for _, a := range all {
		status, err := r.postPush(ctx, a.appID, a.query, a.body)
		if errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "broken pipe") || err != nil && strings.Contains(err.Error(), "reset") {
			continue // hung up on before the whole body was sent
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		refused := false
		for _, want := range a.want {
			refused = refused || status == want
		}
		t.want(refused, "%s: HTTP %d, want %v", a.name, status, a.want)
	}
	t.figure("hostile_pushes", float64(len(all)))
	return nil
}

// hostile makes the attacks on a message that waits for its event.
func hostile(m client.Message) ([]attack, error) {
	var msgid int64
	if m.MsgID != nil {
		fmt.Sscan(*m.MsgID, &msgid)
	}
	receipt := finished(m.ToUser, msgid, "failed:user block", time.Now())
	right, err := sealed(wechat.PusherConfig{AppID: shop, Token: sandbox.SeedCallbackToken}, receipt)
	if err != nil {
		return nil, err
	}
	foreign, err := sealed(wechat.PusherConfig{AppID: shop, Token: "anothertoken"}, receipt)
	if err != nil {
		return nil, err
	}
	wrongApp, err := sealed(wechat.PusherConfig{AppID: "wx0000000000000000", Mode: wechat.ModeSafe, Token: sandbox.SeedCallbackToken, AESKey: sandbox.SeedAESKey}, receipt)
	if err != nil {
		return nil, err
	}
	otherKey, err := sealed(wechat.PusherConfig{AppID: safe, Mode: wechat.ModeSafe, Token: sandbox.SeedCallbackToken, AESKey: strings.Repeat("b", 43)}, receipt)
	if err != nil {
		return nil, err
	}
	bomb := []byte(`<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]><xml><FromUserName>&lol2;</FromUserName></xml>`)
	no := []int{http.StatusForbidden}
	return []attack{
		{"no signature at all", shop, url.Values{}, receipt, no},
		{"a signature by another token", shop, foreign.Query, receipt, no},
		{"a plain push to an account in safe mode", safe, right.Query, receipt, no},
		{"another account's appid inside the encryption", safe, wrongApp.Query, wrongApp.Body, no},
		{"another AES key", safe, otherKey.Query, otherKey.Body, no},
		{"an entity bomb", shop, right.Query, bomb, []int{http.StatusBadRequest}},
		{"an account nobody knows", "wx9999999999999999", right.Query, receipt, []int{http.StatusNotFound}},
		{"10 MB", shop, right.Query, bytes.Repeat([]byte("x"), 10<<20), []int{http.StatusRequestEntityTooLarge}},
	}, nil
}

func sealed(cfg wechat.PusherConfig, body []byte) (wechat.SealedPush, error) {
	p, err := wechat.NewPusher(cfg)
	if err != nil {
		return wechat.SealedPush{}, err
	}
	return p.Push(body, "", time.Now())
}

const (
	slowCallers = 200
	slowFor     = 12 * time.Second // longer than any request's headers or body may take
)

// slowloris opens connections that never finish a request. Real pushes are
// answered meanwhile, and the connections are hung up on.
func (r *rig) slowloris(ctx context.Context, t *trial) error {
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range slowCallers {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.nodes[0].listen)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		head := "POST /callback/" + shop + " HTTP/1.1\r\nHost: x\r\n"
		if i%2 == 0 {
			head += "Content-Length: 1000\r\n\r\n<xml>" // the other half never ends its headers
		}
		if _, err := io.WriteString(c, head); err != nil {
			return err
		}
	}
	var slowest time.Duration
	for range 50 {
		began := time.Now()
		status, err := r.push(ctx, shop, finished(userOf(2_000_000), began.UnixNano(), "success", began), sandbox.SeedCallbackToken)
		if err != nil {
			return err
		}
		t.want(status == http.StatusOK, "a right push beside %d slow ones: HTTP %d", slowCallers, status)
		slowest = max(slowest, time.Since(began))
	}
	t.want(slowest < time.Second, "a right push beside %d slow ones took %v", slowCallers, slowest)
	t.figure("push_beside_slow_ones_max_ms", ms(slowest))
	open := 0
	deadline := time.Now().Add(slowFor)
	for _, c := range conns {
		// The first one that is still open takes the whole time; what the others have
		// to say lies ready.
		if err := c.SetReadDeadline(later(deadline, time.Now().Add(lookEvery))); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			open++
		}
	}
	t.want(open == 0, "%d of %d connections that never finish a request are still open after %v", open, slowCallers, slowFor)
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
