package dispatch

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hongyan"
)

var update = flag.Bool("update", false, "rewrite printed documents")

// statesDoc is the document printed from the table of states.
const statesDoc = "../docs/states.md"

func TestTheDocumentOfStatesIsPrintedFromTheTable(t *testing.T) {
	got := printStates()
	if *update {
		if err := os.WriteFile(statesDoc, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(statesDoc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is out of date, run the test with -update (-want +got):\n%s", statesDoc, diff)
	}
}

const statesIntro = `# States of a message · 消息状态

Printed from the table in dispatch/state.go by ` + "`go test ./dispatch -run States -update`" + `; do not edit.

A message's rank never falls: the higher it is, the more is known.
消息的等级只升不降：等级越高，结果越明确。

`

// printStates writes the document.
func printStates() []byte {
	var b bytes.Buffer
	b.WriteString(statesIntro)
	printDiagram(&b)
	printStateTable(&b)
	printTransitionTable(&b)
	printKinds(&b)
	return b.Bytes()
}

// arrows joins the acts that lead from one state to another.
func arrows() (order [][2]string, acts map[[2]string][]string) {
	acts = make(map[[2]string][]string)
	for _, row := range transitions {
		from := []string{"[*]"}
		if row.From != nil {
			from = from[:0]
			for _, s := range row.From {
				from = append(from, s.String())
			}
		}
		for _, f := range from {
			pair := [2]string{f, row.To.String()}
			if acts[pair] == nil {
				order = append(order, pair)
			}
			if !slices.Contains(acts[pair], string(row.Act)) {
				acts[pair] = append(acts[pair], string(row.Act))
			}
		}
	}
	return order, acts
}

func printDiagram(b *bytes.Buffer) {
	b.WriteString("```mermaid\nstateDiagram-v2\n")
	for _, s := range hongyan.States() {
		fmt.Fprintf(b, "    %s : %s %s\n", s, s, s.ZH())
	}
	order, acts := arrows()
	for _, pair := range order {
		fmt.Fprintf(b, "    %s --> %s : %s\n", pair[0], pair[1], strings.Join(acts[pair], ", "))
	}
	for _, s := range hongyan.States() {
		if s.Final(hongyan.KindMiniTemplate) {
			fmt.Fprintf(b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n\n")
}

func printStateTable(b *bytes.Buffer) {
	b.WriteString("| State | 状态 | Rank 等级 | Waits 等待 | Ended 已终结 |\n|---|---|---|---|---|\n")
	for _, s := range hongyan.States() {
		ended := mark(s.Final(hongyan.KindTemplate))
		if s.Final(hongyan.KindMiniTemplate) && !s.Final(hongyan.KindTemplate) {
			ended = "for kinds without a receipt 无回执的消息类型"
		}
		fmt.Fprintf(b, "| `%s` | %s | %d | %s | %s |\n", s, s.ZH(), s.Rank(), mark(s.Waiting()), ended)
	}
	b.WriteString("\n")
}

func printTransitionTable(b *bytes.Buffer) {
	b.WriteString("| Act | From 从 | To 到 | When |\n|---|---|---|---|\n")
	for _, row := range transitions {
		from := "(new 新消息)"
		if row.From != nil {
			from = stateWords(row.From)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", row.Act, from, stateWords([]hongyan.State{row.To}), row.Note)
	}
}

const kindsIntro = `
## The kinds of message · 消息类型

What a call without an answer means depends on the kind. Where WeChat knows a repeated call by its client_msg_id or form_id, the call is made
again. The others have neither: one such call is their last, and a message of theirs that a dead process may have tried is never sent again
either. They end as ` + "`uncertain`" + ` (with the account's policy ` + "`give_up`" + ` as ` + "`failed`" + `); the policy ` + "`resend`" + ` does not apply to them, and only a person can send
them once more (retry). What certainly did not leave, and what WeChat answered with a transient errcode, is tried again whatever the kind.

调用没有得到应答时怎么办，取决于消息类型。微信能凭 client_msg_id 或 form_id 认出重复调用的，会再次调用；其余类型一次无应答即止，
进程崩溃时可能已经发出的也不再发送：以 ` + "`uncertain`" + ` 终结（账号策略为 ` + "`give_up`" + ` 时为 ` + "`failed`" + `），策略 ` + "`resend`" + ` 对其无效，只能由人重试。
确定没有发出的，以及微信返回暂时性错误码的，任何类型都会重试。

| Kind 类型 | Receipt 回执 | Last state without one 无回执时的终态 | Asked again after no answer 无应答后重试 |
|---|---|---|---|
`

func printKinds(b *bytes.Buffer) {
	b.WriteString(kindsIntro)
	for _, k := range hongyan.MessageKinds() {
		last := ""
		if hongyan.Accepted.Final(k) {
			last = stateWords([]hongyan.State{hongyan.Accepted})
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k, mark(k.HasReceipt()), last, mark(families[k].repeats))
	}
}

// stateWords lists states in both languages.
func stateWords(states []hongyan.State) string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = fmt.Sprintf("`%s` %s", s, s.ZH())
	}
	return strings.Join(words, ", ")
}

func mark(yes bool) string {
	if yes {
		return "yes 是"
	}
	return ""
}

func TestRankNeverFallsAlongARow(t *testing.T) {
	for _, row := range transitions {
		for _, from := range row.From {
			if row.To.Rank() < from.Rank() {
				t.Errorf("%s: %s (rank %d) to %s (rank %d)", row.Act, from, from.Rank(), row.To, row.To.Rank())
			}
		}
	}
}

func TestEveryStateCanBeReachedAndEveryActHasARow(t *testing.T) {
	reached, acts := map[hongyan.State]bool{}, map[Act]bool{}
	for _, row := range transitions {
		reached[row.To], acts[row.Act] = true, true
		if row.Note == "" {
			t.Errorf("%s to %s: no note says when", row.Act, row.To)
		}
	}
	for _, s := range hongyan.States() {
		if !reached[s] {
			t.Errorf("no row leads to %s", s)
		}
	}
	for _, act := range []Act{ActAccept, ActLease, ActReturn, ActLater, ActHold, ActTaken, ActRefused, ActDoubt,
		ActExpire, ActCancel, ActRelease, ActRestore, ActDeliver, ActUndeliver} {
		if !acts[act] {
			t.Errorf("act %q has no row", act)
		}
	}
}

// TestTheActsOfPeopleNeedAWaitingMessage: cancel and release apply to queued and
// held messages, and to no other (design §4).
func TestTheActsOfPeopleNeedAWaitingMessage(t *testing.T) {
	for _, from := range hongyan.States() {
		for act, to := range map[Act]hongyan.State{ActCancel: hongyan.Cancelled, ActRelease: hongyan.Sending, ActLease: hongyan.Sending} {
			if got, want := allowed(act, from, to), from.Waiting(); got != want {
				t.Errorf("%s from %s: got %v, want %v", act, from, got, want)
			}
		}
	}
}

// actOf names the act by which each state of a verdict is reached.
var actOf = map[hongyan.State]Act{
	hongyan.Queued: ActLater, hongyan.Held: ActHold, hongyan.Accepted: ActTaken, hongyan.Failed: ActRefused,
	hongyan.Uncertain: ActDoubt, hongyan.Expired: ActExpire,
}

func TestEveryDecisionIsARowOfTheTable(t *testing.T) {
	seen := map[hongyan.State]bool{}
	for _, c := range decisions {
		seen[c.want.State] = true
		if act := actOf[c.want.State]; !allowed(act, hongyan.Sending, c.want.State) {
			t.Errorf("%s: no row %q leads from sending to %s", c.name, act, c.want.State)
		}
	}
	for s := range actOf { // expiry is decided before sending, not after an answer
		if !seen[s] && s != hongyan.Expired {
			t.Errorf("no decision of the table of tests leads to %s", s)
		}
	}
}

// TestNoWalkGoesBack walks the table at random from acceptance on. What has a
// receipt or was ended stays as it is, but for a receipt that proves more.
func TestNoWalkGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := rapid.SampledFrom([]hongyan.State{hongyan.Queued, hongyan.Sending}).Draw(t, "accepted as")
		kind := rapid.SampledFrom(hongyan.MessageKinds()).Draw(t, "kind")
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			rows := rowsFrom(state)
			if len(rows) == 0 {
				if !state.Final(kind) || state.Rank() != 4 {
					t.Fatalf("%s leads nowhere, and is no end a receipt told", state)
				}
				return
			}
			row := rapid.SampledFrom(rows).Draw(t, "row")
			byReceipt := row.Act == ActDeliver || row.Act == ActUndeliver
			switch {
			case row.To.Rank() < state.Rank():
				t.Fatalf("%s: rank falls from %s to %s", row.Act, state, row.To)
			case state.Final(kind) && !byReceipt:
				t.Fatalf("%s moves a message that has ended as %s to %s", row.Act, state, row.To)
			case state.Rank() > 0 && row.To.Waiting():
				t.Fatalf("%s: %s is queued again", row.Act, state)
			}
			state = row.To
		}
	})
}

func rowsFrom(s hongyan.State) []transition {
	var rows []transition
	for _, row := range transitions {
		if slices.Contains(row.From, s) {
			rows = append(rows, row)
		}
	}
	return rows
}
