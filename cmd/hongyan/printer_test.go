package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"hongyan/client"
	"hongyan/demo"
)

func TestTableAlignsByDisplayWidth(t *testing.T) {
	var b bytes.Buffer
	p := &printer{w: &b}
	p.table([]string{"STATE", "TITLE", "N"}, [][]cell{
		{stateCell("delivered"), text("订单"), text("1")},
		{stateCell("held"), text("ab"), text("22")},
	})
	want := "STATE             TITLE  N\n" +
		"delivered 已送达  订单   1\n" +
		"held 挂起         ab     22\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFitCutsTheLastColumnToTheTerminal(t *testing.T) {
	var b bytes.Buffer
	p := &printer{w: &b, columns: 22}
	heads := []string{"STATE", "TITLE"}
	rows := [][]cell{{stateCell("delivered"), text("ok")}, {stateCell("held"), text("账号已暂停")}}
	p.fit(heads, rows)
	p.table(heads, rows)
	want := "STATE             TITLE\n" +
		"delivered 已送达  ok\n" +
		"held 挂起         账…\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNextForAHeldMessageEndsItsHold(t *testing.T) {
	for reason, want := range map[string]string{
		"paused":          "hongyan account resume wx1",
		"account_stopped": "hongyan account resume wx1",
		"unreachable":     "hongyan account list",
		"quota":           "hongyan quota wx1",
		"template":        "hongyan message release msg_1",
	} {
		if got := nextForMessage(client.Message{ID: "msg_1", AppID: "wx1", State: "held", Reason: reason}); got != want {
			t.Errorf("%s: next %q, want %q", reason, got, want)
		}
	}
}

func TestNextAfterARefusalCanWork(t *testing.T) {
	code := func(n int) *int { return &n }
	failed := func(errcode int, class string) client.Message {
		return client.Message{ID: "msg_1", AppID: "wx1", ToUser: "o1", State: "failed", Errcode: code(errcode), ErrcodeInfo: &client.ErrcodeInfo{Class: class}}
	}
	stopped := func(errcode int) client.Message {
		return client.Message{ID: "msg_1", AppID: "wx1", State: "held", Reason: "account_stopped", Hold: &client.Hold{Errcode: code(errcode)}}
	}
	tests := []struct {
		name    string
		message client.Message
		want    string
	}{
		{"the user does not follow", failed(43004, "recipient"), "hongyan message list --to o1"},
		{"a bad value", failed(47003, "request"), "hongyan send --help"},
		{"a form_id used up", failed(41029, "form"), "hongyan send --help"},
		{"a template that is gone", failed(40037, "template"), "hongyan template list wx1"},
		{"busy too often", failed(-1, "transient"), "hongyan message retry msg_1"},
		{"given up without an answer", client.Message{ID: "msg_1", State: "failed", Reason: "no_answer"}, "hongyan message retry msg_1"},
		{"a wrong AppSecret", stopped(40125), "hongyan account rotate wx1 --secret-file FILE"},
		{"an address not in the whitelist", stopped(40164), "hongyan account resume wx1"},
	}
	for _, tt := range tests {
		if got := nextForMessage(tt.message); got != tt.want {
			t.Errorf("%s: next %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTheNextPageIsACommandToPaste(t *testing.T) {
	list := messageList{AppID: "shop", State: []string{"held", "queued"}, Query: "it's", Limit: 20}
	list.URL = "http://127.0.0.1:7800"
	got := list.again(time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC), "bTE")
	want := `hongyan message list --url http://127.0.0.1:7800 --appid shop --state held,queued --since 2026-11-20T01:30:00Z --query 'it'\''s' --limit 20 --cursor bTE`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHoldLinesSeparateCauseAndCure(t *testing.T) {
	got := holdLines(&client.Hold{Reason: "quota", Detail: "the template's own limit is used up", Release: "the next Beijing day"})
	want := []string{"quota: the template's own limit is used up", "what ends it: the next Beijing day"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStandingSaysUntilWhen(t *testing.T) {
	p := &printer{w: io.Discard}
	due := time.Now().Add(time.Hour)
	for want, m := range map[string]client.Message{
		"m  queued 排队, not before " + due.Local().Format("2006-01-02 15:04:05 -0700"): {ID: "m", State: "queued", DueAt: client.At(due)},
		"m  queued 排队":                  {ID: "m", State: "queued", DueAt: client.At(time.Now().Add(-time.Second))},
		"m  failed 失败 errcode 43004":    {ID: "m", State: "failed", Reason: "errcode", Errcode: new(43004)},
		"m  undelivered 未送达 user_block": {ID: "m", State: "undelivered", Reason: "user_block"},
	} {
		if got := p.standing(m); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRefusalsNameFlags(t *testing.T) {
	c := client.New("http://gw", "")
	tests := []struct {
		name       string
		names      flagNames
		problem    client.Problem
		what, cure string
	}{
		{"one field with advice", sendFlags,
			client.Problem{Status: 422, Code: "x", Type: "/problems/x", Detail: "y is bad. Do z", Errors: []client.FieldError{{Pointer: "/touser", Detail: "y is bad"}}},
			"--to: y is bad", "Do z"},
		{"two fields", accountFlags,
			client.Problem{Status: 422, Code: "x", Type: "/problems/x", Detail: "/alias: a", Errors: []client.FieldError{{Pointer: "/alias", Detail: "a"}, {Pointer: "/quotas/0/limit", Detail: "b"}}},
			"2 values are refused\n--alias: a\n--quota: b", "http://gw/problems/x explains it"},
		{"a body of one's own", nil,
			client.Problem{Status: 422, Code: "x", Type: "/problems/x", Detail: "thing1: c", Errors: []client.FieldError{{Pointer: "/data/thing1", Detail: "thing1: c"}}},
			"/data/thing1: c", "http://gw/problems/x explains it"},
		{"a parameter", nil,
			client.Problem{Status: 422, Code: "bad_cursor", Type: "/problems/bad_cursor", Detail: "d", Errors: []client.FieldError{{Pointer: "/query/cursor", Detail: "d"}}},
			"--cursor: d", "http://gw/problems/bad_cursor explains it"},
		{"an answer of something in front", nil, client.Problem{Status: 401, Code: "http_401", Detail: "e"},
			"e", "set HONGYAN_URL or --url to where hongyan serve listens; something at http://gw answers in its place"},
	}
	for _, tt := range tests {
		told, ok := tt.names.apiError(c, &tt.problem).(*commandError)
		if !ok || told.what != tt.what || told.cure != tt.cure {
			t.Errorf("%s: got %+v, want %q and %q", tt.name, told, tt.what, tt.cure)
		}
	}
}

func TestProgramWord(t *testing.T) {
	for called, want := range map[string]string{
		"hongyan": "hongyan", "./hongyan": "./hongyan", "/tmp/go-build123/b001/exe/hongyan": "go run ./cmd/hongyan",
	} {
		if got := programWord(called); got != want {
			t.Errorf("%s: got %s, want %s", called, got, want)
		}
	}
}

func TestChangesAreATableLineByLine(t *testing.T) {
	messages := []demo.Message{
		{Name: "delivered", Title: "送达", Got: demo.Fate{State: "delivered"}, Errcode: new(0)},
		{Name: "user-block", Title: "用户拒收", Got: demo.Fate{State: "undelivered", Reason: "user_block"}},
	}
	var piped, narrow bytes.Buffer
	for _, table := range []*liveTable{{out: &printer{w: &piped}}, {out: &printer{w: &narrow, rows: 24, columns: 80}}} {
		table.changed(messages)
		table.changed(messages) // nothing new
	}
	want := "MESSAGE                        STATE               REASON            ERRCODE  WHAT HAPPENS\n" +
		"delivered                      delivered 已送达                      0        送达\n" +
		"user-block                     undelivered 未送达  user_block        -        用户拒收\n"
	if diff := cmp.Diff(want, piped.String()); diff != "" {
		t.Errorf("piped (-want +got)\n%s", diff)
	}
	for line := range strings.Lines(narrow.String()) {
		if width := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); width > 80 {
			t.Errorf("%d cells on 80: %s", width, line)
		}
	}
}

// TestAnInterruptedDemoJudgesNothing: what had not ended is not wrong.
func TestAnInterruptedDemoJudgesNothing(t *testing.T) {
	world, err := demo.Start(t.Context(), demo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	}()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	err = (&demoCommand{Exit: true}).play(interrupted, &surroundings{stdout: &out, stderr: &out}, world, time.Now())
	if err == nil || !strings.Contains(err.Error(), "interrupted") || out.Len() > 0 {
		t.Errorf("got %v and %q, want an interruption and no judgement", err, out.String())
	}
}

func TestColoursDoNotMoveColumns(t *testing.T) {
	var b bytes.Buffer
	p := &printer{w: &b, colours: true}
	p.table([]string{"STATE", "N"}, [][]cell{{stateCell("failed"), text("1")}})
	want := "\x1b[90mSTATE\x1b[0m        \x1b[90mN\x1b[0m\n\x1b[31mfailed 失败\x1b[0m  1\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhatIsNoTerminalGetsNoColours(t *testing.T) {
	if printerFor(new(bytes.Buffer), func(string) string { return "" }).colours {
		t.Error("a buffer gets colours")
	}
}
