package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
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
