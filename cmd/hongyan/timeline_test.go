package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"hongyan/client"
)

var shownAt = time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)

func after(d time.Duration) client.Time   { return client.Time{Time: shownAt.Add(d)} }
func afterp(d time.Duration) *client.Time { t := after(d); return &t }

// hardMessage took all there is: a busy system, a lost answer, a receipt that is bad news.
func hardMessage() client.Message {
	busy := &client.ErrcodeInfo{Class: "transient", Meaning: "The system is busy.", MeaningZH: "系统繁忙，此时请开发者稍候再试。"}
	return client.Message{
		ID: "msg_0199f2f1c0de7abc8def0123456789ab", AppID: "wxa1a1a1a1a1a1a1a1", Kind: "template", Priority: "normal", ToUser: "oBLOCK0000000000000000000001",
		TemplateID: "SandboxTyped-OrderPaid-00000000000000000002", State: "undelivered", Reason: "user_block", Final: true,
		CreatedAt: after(0), MsgID: new("4123456789012345678"), AcceptedAt: afterp(65*time.Second + 300*time.Millisecond),
		Attempts: []client.Attempt{
			{N: 1, StartedAt: after(2 * time.Millisecond), EndedAt: afterp(25 * time.Millisecond), Outcome: "answered", Errcode: new(-1), Errmsg: "system error", RID: "6aac005a-01bfdbee-79769285", ErrcodeInfo: busy},
			{N: 2, StartedAt: after(5 * time.Second), EndedAt: afterp(15 * time.Second), Outcome: "no_answer", Errmsg: "no answer within 10 s"},
			{N: 3, StartedAt: after(65 * time.Second), EndedAt: afterp(65*time.Second + 300*time.Millisecond), Outcome: "answered", Errcode: new(0), Errmsg: "ok"},
		},
		Receipt: &client.Receipt{Status: "user_block", At: after(2*time.Hour + 5*time.Minute), JoinedBy: "msgid", Raw: "failed:user block"},
	}
}

func TestATimelineTellsWhatHappenedWhen(t *testing.T) {
	var b bytes.Buffer
	p := &printer{w: &b, columns: 80}
	p.timeline(timeline(hardMessage()))
	want := `      +0 ms  • stored     template, priority normal
      +2 ms  ✗ attempt 1  errcode -1 system error, in 23 ms
                          The system is busy.
                          系统繁忙，此时请开发者稍候再试。
                          rid 6aac005a-01bfdbee-79769285
     +5.0 s  ✗ attempt 2  no answer no answer within 10 s, in 10.0 s
  +1 m 05 s  ✓ attempt 3  errcode 0, in 300 ms
  +1 m 05 s  • accepted   msgid 4123456789012345678
  +2 h 05 m  ✗ receipt    user_block, joined by msgid
                          WeChat's word: failed:user block
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}

func TestATimelineFitsTheTerminal(t *testing.T) {
	m := hardMessage()
	m.Attempts[0].ErrcodeInfo.Meaning = strings.Repeat("long words of a long story ", 12)
	m.Attempts[0].ErrcodeInfo.MeaningZH = strings.Repeat("很长的说明，", 30)
	for _, columns := range []int{0, 60, 80, 200} { // 0: no terminal, written as for 80
		var b bytes.Buffer
		p := &printer{w: &b, columns: columns}
		p.timeline(timeline(m))
		limit := columns
		if limit == 0 {
			limit = 80
		}
		for line := range strings.Lines(b.String()) {
			if w := runewidth.StringWidth(strings.TrimRight(line, "\n")); w > limit {
				t.Errorf("%d columns: a line of %d: %s", columns, w, line)
			}
		}
		if columns >= 80 && !strings.Contains(b.String(), "6aac005a-01bfdbee-79769285") {
			t.Error("the rid is not whole")
		}
	}
}

func TestATimelineEndsWithWhatIsStillToCome(t *testing.T) {
	tests := []struct {
		name    string
		message client.Message
		want    string
	}{
		{"queued for later", client.Message{State: "queued", Reason: "retry", DueAt: afterp(30 * time.Second)}, "     +30.0 s  … due        not before this, retry"},
		{"accepted", client.Message{State: "accepted", AcceptedAt: afterp(time.Second)}, "             … receipt    WeChat's event has not come yet"},
		{"overdue", client.Message{State: "accepted", AcceptedAt: afterp(time.Second), ReceiptOverdue: true}, "! overdue"},
		{"in review", client.Message{State: "accepted", InReview: true, AcceptedAt: afterp(time.Second)}, "… review"},
		{"held", client.Message{State: "held", Hold: &client.Hold{Reason: "quota", Detail: "used up", Since: after(time.Second), Until: afterp(3 * time.Hour), Release: "the next Beijing day"}}, "! held       quota: used up"},
		{"held since before it was posted", client.Message{State: "held", Hold: &client.Hold{Reason: "paused", Since: after(-24 * time.Hour), Release: "resume"}}, "      +0 ms  ! held       paused"},
		{"cancelled", client.Message{State: "cancelled", Final: true, UpdatedAt: after(time.Minute)}, "  +1 m 00 s  ✗ cancelled"},
		{"expired", client.Message{State: "expired", Final: true, UpdatedAt: after(26 * time.Hour)}, "  +1 d 02 h  ✗ expired"},
		{"uncertain", client.Message{State: "uncertain", Final: false, Reason: "no_answer", UpdatedAt: after(time.Hour)}, "  +1 h 00 m  ✗ uncertain  no_answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.message.CreatedAt = after(0)
			var b bytes.Buffer
			(&printer{w: &b}).timeline(timeline(tt.message))
			if !strings.Contains(b.String(), strings.TrimPrefix(tt.want, " ")) {
				t.Errorf("got\n%swant %s in it", b.String(), tt.want)
			}
		})
	}
}

func TestWrapped(t *testing.T) {
	for _, tt := range []struct {
		text            string
		indent, columns int
		want            string
	}{
		{"short", 2, 40, "short"},
		{"", 2, 40, ""},
		{"one two three four five six seven", 2, 22, "one two three four\n  five six seven"},
		{"请把服务器地址设置为网关的回调地址并启用。", 4, 24, "请把服务器地址设置为\n    网关的回调地址并启\n    用。"},
		{"a https://example.com/a/very/long/address/that/stays/whole b", 2, 22, "a\n  https://example.com/a/very/long/address/that/stays/whole\n  b"},
	} {
		if got := wrapped(tt.text, tt.indent, tt.columns); got != tt.want {
			t.Errorf("wrapped(%q, %d, %d) =\n%s\nwant\n%s", tt.text, tt.indent, tt.columns, got, tt.want)
		}
	}
}
