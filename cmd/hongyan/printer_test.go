package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
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
