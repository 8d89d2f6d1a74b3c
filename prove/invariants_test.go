package prove

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// at is a moment of these ledgers.
func at(ms int) sandbox.Time {
	return sandbox.Time{Time: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)}
}

// sound makes ledgers in which everything is right: n messages of the shop, each
// promised, called once, shown, and received; and the paced account at its rate.
func sound(n int) *ledgers {
	l := &ledgers{counts: map[string]int64{shop + " delivered": int64(n)}, usage: map[string]int64{shop: int64(n)}, seen: map[string][]int{},
		limits: []limit{{appID: shop, perDay: int64(n)}, {appID: paced, perSecond: 10}}}
	for i := range n {
		user, id, msgid := userOf(i), fmt.Sprintf("msg_%d", i), fmt.Sprint(3_000_000_000_000_000_000+i)
		l.promises = append(l.promises, &promise{number: i, openID: user, id: id, tries: 1})
		l.rows = append(l.rows, client.Message{ID: id, AppID: shop, Kind: "template", ToUser: user, State: "delivered", MsgID: &msgid,
			Attempts: []client.Attempt{{N: 1, Outcome: "answered"}}, Receipt: &client.Receipt{Status: "success"}})
		l.calls = append(l.calls, sandbox.LedgerEntry{Seq: int64(i + 1), Time: at(i), AppID: shop, Path: sendPath, ToUser: user,
			MsgID: msgid, Fate: "shown", Answered: true, Pushes: []sandbox.LedgerPush{{At: at(i + 100), HTTPStatus: 200}}})
		l.seen[user] = []int{1}
	}
	return l
}

func TestSoundLedgersHaveNoViolation(t *testing.T) {
	if found := sound(5).index().check(); len(found) > 0 {
		t.Errorf("got %v, want none", found)
	}
}

// TestEachInvariantSeesWhatBreaksIt plants one violation at a time.
func TestEachInvariantSeesWhatBreaksIt(t *testing.T) {
	tests := []struct {
		name  string
		plant func(*ledgers)
		want  string   // the invariant
		says  string   // part of what is said
		also  []string // invariants that cannot but break too
	}{
		{"a promised message has no row", func(l *ledgers) { l.rows = l.rows[1:] }, "I1", "lost", []string{"I6"}},
		{"a promise names the row of another", func(l *ledgers) { l.promises[0].id = l.promises[1].id }, "I1", "was promised this row", nil},
		{"one key made two rows", func(l *ledgers) { l.rows = append(l.rows, l.rows[0]); l.rows[5].ID = "msg_again" }, "I1", "2 rows", []string{"I6"}},
		{"a message is still sending", func(l *ledgers) { l.become(0, "sending") }, "I2", "still sending", nil},
		{"a hold has no reason", func(l *ledgers) { l.become(0, "held") }, "I2", "nothing says why", nil},
		{"a valid message failed", func(l *ledgers) { l.become(0, "failed") }, "I2", "ended failed", nil},
		{"a receipt is here and the message only accepted", func(l *ledgers) { l.become(0, "accepted") }, "I2", "its receipt is here", nil},
		{"delivered, and never sent", func(l *ledgers) { l.calls = l.calls[1:] }, "I2", "never took it", nil},
		{"delivered, and the user blocked it", func(l *ledgers) { l.calls[0].Fate = "user_block" }, "I2", "the platform says user_block", nil},
		{"a user got it twice", func(l *ledgers) { l.again(0, 5_000, "") }, "I3", "duplicated", []string{"I4", "I7"}},
		{"a day's quota is exceeded", func(l *ledgers) { l.limits[0].perDay = 4 }, "I4", "5 calls, 4 a day", nil},
		{"a rate is exceeded", func(l *ledgers) { l.pace(40, 10) }, "I4", "within", nil},
		{"a rank fell", func(l *ledgers) { l.falls = []string{"msg_1 was delivered and is accepted"} }, "I5", "was delivered", nil},
		{"a counter is off", func(l *ledgers) { l.counts[shop+" delivered"]++ }, "I6", "a recount 5", nil},
		{"a call is not counted", func(l *ledgers) { l.usage[shop]-- }, "I6", "the timelines have 5", nil},
		{"a receipt is lost after success", func(l *ledgers) { l.become(0, "accepted"); l.rows[0].Receipt = nil }, "I7", "without a receipt", nil},
		{"the business never heard of it", func(l *ledgers) { delete(l.seen, userOf(0)) }, "I7", "never came", nil},
		{"the business heard it in two ways", func(l *ledgers) { l.seen[userOf(0)] = []int{2} }, "I7", "2 different forms", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := sound(5)
			tt.plant(l)
			seen := false
			for _, v := range l.index().check() {
				switch {
				case v.Invariant == tt.want && strings.Contains(v.Detail, tt.says):
					seen = true
				case v.Invariant != tt.want && !slices.Contains(tt.also, v.Invariant):
					t.Errorf("%s is said to be broken too: %s", v.Invariant, v.Detail)
				}
			}
			if !seen {
				t.Errorf("%s does not say %q; it found %v", tt.want, tt.says, l.check())
			}
		})
	}
}

// become puts a row, and the counters, into another state.
func (l *ledgers) become(i int, state string) {
	l.counts[shop+" "+l.rows[i].State]--
	l.rows[i].State = state
	l.counts[shop+" "+counted(state)]++
}

// again has the platform take the message of a row a second time.
func (l *ledgers) again(i, ms int, duplicateOf string) {
	e := l.calls[i]
	e.Time, e.MsgID, e.DuplicateOf = at(ms), e.MsgID+"9", duplicateOf
	l.calls = append(l.calls, e)
}

// pace adds n calls of the paced account, gap milliseconds apart.
func (l *ledgers) pace(n, gap int) {
	for i := range n {
		l.calls = append(l.calls, sandbox.LedgerEntry{Time: at(i * gap), AppID: paced, Path: sendPath, ToUser: "nobody", ErrCode: 1})
	}
}

// TestWhatIsAllowedIsNoViolation keeps the invariants from crying wolf.
func TestWhatIsAllowedIsNoViolation(t *testing.T) {
	tests := []struct {
		name  string
		allow func(*ledgers)
	}{
		{"a second call that the platform dropped as a duplicate", func(l *ledgers) {
			l.limits[0].perDay++
			l.again(0, 5_000, l.calls[0].MsgID)
			l.rows[0].Attempts[0].N, l.usage[shop] = 2, l.usage[shop]+1
		}},
		{"accepted, and its event lost with every delivery", func(l *ledgers) {
			l.become(0, "accepted")
			l.rows[0].Receipt = nil
			l.calls[0].Pushes = []sandbox.LedgerPush{{}, {}, {}}
		}},
		{"a post that nobody answered in the end", func(l *ledgers) { l.promises = append(l.promises, &promise{number: 9, openID: userOf(9)}) }},
		{"the burst of a second, then the rate", func(l *ledgers) { l.pace(10, 0); l.pace(20, 100) }},
		{"a fresh burst after a restart", func(l *ledgers) {
			l.pace(10, 0)
			l.pace(10, 1)
			l.restarts = []time.Time{at(0).Time}
		}},
		{"a call that was refused for its token costs nothing", func(l *ledgers) {
			l.limits[0].perDay++
			e := l.calls[0]
			e.ErrCode, e.MsgID, e.Fate, e.Pushes = 40001, "", "none", nil
			l.calls = append([]sandbox.LedgerEntry{e}, l.calls...)
			l.rows[0].Attempts[0].N = 2
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := sound(5)
			tt.allow(l)
			if found := l.index().check(); len(found) > 0 {
				t.Errorf("got %v, want none", found)
			}
		})
	}
}

func TestAWatchSeesARankFallOnce(t *testing.T) {
	w := &watch{seen: map[string]sight{}}
	for _, state := range []string{"sending", "accepted", "delivered", "accepted", "accepted"} {
		w.note(&client.Message{ID: "msg_1", State: state})
	}
	if want := []string{"msg_1 was delivered and is accepted"}; !slices.Equal(w.falls, want) {
		t.Errorf("got %v, want %v", w.falls, want)
	}
}

func TestTheSameSeedGivesTheSameBlows(t *testing.T) {
	a, b, other := schedule(7, 200, 3), schedule(7, 200, 3), schedule(8, 200, 3)
	if !slices.Equal(a, b) {
		t.Error("two schedules of one seed differ")
	}
	if slices.Equal(a, other) {
		t.Error("two seeds give one schedule")
	}
	points := map[string]int{}
	for _, x := range a {
		if x.gap < gapLeast || x.gap >= gapMost {
			t.Errorf("%v is not between %v and %v after the one before", x, gapLeast, gapMost)
		}
		points[string(x.point)]++
	}
	if len(points) != 7 { // six, and none
		t.Errorf("200 blows fall at %v, want every point and no point", points)
	}
}

func TestAMessageIsWhatItsSeedAndNumberSay(t *testing.T) {
	forms := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"form_id":"f"}`) }))
	defer forms.Close()
	compose := func(seed int64, number int) string {
		r := &rig{cfg: Config{Seed: seed}, wx: newPlatform(forms.URL), who: world{templates: map[string]string{}}}
		p, err := r.compose(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%+v", p.request)
	}
	kinds, differ := map[string]bool{}, 0
	for number := range 200 {
		again := compose(3, number)
		if first := compose(3, number); first != again {
			t.Errorf("message %d of seed 3 is once %s, once %s", number, first, again)
		}
		if compose(4, number) != again {
			differ++
		}
		for _, kind := range []string{"subscribe", "mini_template", shop, plain, quota, paced} {
			kinds[kind] = kinds[kind] || strings.Contains(again, kind)
		}
	}
	if differ < 100 {
		t.Errorf("%d of 200 messages differ between two seeds", differ)
	}
	for kind, there := range kinds {
		if !there {
			t.Errorf("of 200 messages none is of %s", kind)
		}
	}
}

// TestAnEndNobodyToldIsSeen: the checker of test 17 sees a message's end that a webhook did
// not hear of, or heard of as two events.
func TestAnEndNobodyToldIsSeen(t *testing.T) {
	books := &ledgers{rows: []client.Message{{ID: "msg_1", State: "delivered", Final: true}, {ID: "msg_2", State: "failed", Final: true}, {ID: "msg_3", State: "accepted"}}}
	e := ears{got: map[string]map[string]*heard{"good": {
		"evt_1": {kind: "message.delivered", message: "msg_1"}, "evt_2": {kind: "message.failed", message: "msg_2"},
	}}}
	if got := e.missing("good", books); len(got) != 0 {
		t.Errorf("all are there, and %v is missing", got)
	}
	e.got["good"]["evt_9"] = &heard{kind: "message.failed", message: "msg_2"}
	delete(e.got["good"], "evt_1")
	if got := e.missing("good", books); len(got) != 2 {
		t.Errorf("got %v, want one that is missing and one that came as two events", got)
	}
}
