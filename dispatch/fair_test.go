package dispatch

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
)

// newCrowd is an engine with accounts that have a backlog of the kinds named for each.
func newCrowd(slots int, kinds ...[]hongyan.MessageKind) *Engine {
	e := New(Config{Store: &clocked{now: at}, Slots: slots})
	e.epoch.Store(1)
	e.leased.Store(int64(time.Hour))
	for i, of := range kinds {
		a := &account{AppID: fmt.Sprint("wx", i), meter: newMeter(nil, nil), rate: newRate(0, at)}
		a.stored.Store(&settings{Account: hongyan.Account{AppID: a.AppID, MaxInFlight: 100}})
		e.accounts[a.AppID] = a
		for _, kind := range of {
			e.streamOf(a, kind).backlog = true
		}
	}
	return e
}

// leasedBy plans claims, which find as many as they ask for, until nothing more may be leased.
func leasedBy(e *Engine) []int {
	for range 100 {
		wants, asked := e.planClaims(at)
		for i, a := range asked {
			a.s.reserved -= wants[i].Max
			a.s.inflight += wants[i].Max
		}
	}
	var all []int
	for i := range len(e.accounts) {
		all = append(all, e.accounts[fmt.Sprint("wx", i)].leased())
	}
	return all
}

func TestAccountsWithABacklogFillTheSlotsEvenly(t *testing.T) {
	template, subscribe, notice := hongyan.KindTemplate, hongyan.KindSubscribe, hongyan.KindNotice
	one, three := []hongyan.MessageKind{template}, []hongyan.MessageKind{template, subscribe, notice}
	for _, c := range []struct {
		name  string
		slots int
		kinds [][]hongyan.MessageKind
		want  []int
	}{
		{"alone, an account has half", 100, [][]hongyan.MessageKind{one}, []int{50}},
		{"nine have a tenth each", 100, [][]hongyan.MessageKind{one, one, one, one, one, one, one, one, one}, []int{10, 10, 10, 10, 10, 10, 10, 10, 10}},
		{"three kinds are no three accounts", 90, [][]hongyan.MessageKind{three, one}, []int{30, 30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := leasedBy(newCrowd(c.slots, c.kinds...))
			for i := range got {
				if diff := got[i] - c.want[i]; diff < -4 || diff > 4 { // turns are a few messages long
					t.Fatalf("slots by account: got %v, want about %v", got, c.want)
				}
			}
		})
	}
}

// TestWhoComesLaterFindsAShare: accounts that fill their room leave what a new one needs.
func TestWhoComesLaterFindsAShare(t *testing.T) {
	one := []hongyan.MessageKind{hongyan.KindTemplate}
	e := newCrowd(100, one, one)
	e.streams[streamKey{"wx1", hongyan.KindTemplate}].backlog = false
	if got := leasedBy(e); got[0] != 50 || got[1] != 0 {
		t.Fatalf("slots by account: got %v, want 50 for the first", got)
	}
	e.streams[streamKey{"wx1", hongyan.KindTemplate}].backlog = true
	if got := leasedBy(e); got[1] < 25 {
		t.Errorf("slots by account: got %v, want a quarter for the second", got)
	}
}

// TestAClaimThatIsFullGoesOnWithTheNext: two thousand accounts do not fit into one.
func TestAClaimThatIsFullGoesOnWithTheNext(t *testing.T) {
	kinds := make([][]hongyan.MessageKind, 2000)
	for i := range kinds {
		kinds[i] = []hongyan.MessageKind{hongyan.KindTemplate}
	}
	e := newCrowd(100_000, kinds...)
	served := make(map[string]bool)
	for range 4 {
		wants, _ := e.planClaims(at)
		for _, w := range wants {
			served[w.AppID] = true
		}
	}
	if len(served) != 2000 {
		t.Errorf("%d of 2000 accounts had a turn in four claims", len(served))
	}
}

func TestUrgentMessagesAreReadyFirst(t *testing.T) {
	s := newStream(0)
	for i, p := range []hongyan.Priority{hongyan.Bulk, hongyan.Normal, hongyan.Urgent, hongyan.Normal, hongyan.Urgent} {
		s.enqueue(hongyan.Message{Seq: int64(i), Priority: p})
	}
	var got []int64
	for len(s.ready) > 0 {
		m := s.pop()
		got = append(got, m.Seq)
	}
	if diff := cmp.Diff([]int64{2, 4, 1, 3, 0}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestOnlyUrgentMessagesUseTheReserve of a limit; the others say what they wait for.
func TestOnlyUrgentMessagesUseTheReserve(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.change(func(a *hongyan.Account) {
			a.Quotas = []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 5, UrgentReserve: 2}}
		})
		send := func(p hongyan.Priority) string {
			r := order()
			r.Priority = p
			id := d.submit(r).ID
			d.sleep(time.Second)
			return id
		}
		for range 3 {
			d.want(send(hongyan.Normal), hongyan.Accepted, "")
		}
		kept := send(hongyan.Normal)
		bulk := send(hongyan.Bulk)
		for range 2 {
			d.want(send(hongyan.Urgent), hongyan.Accepted, "")
		}
		late := send(hongyan.Urgent)
		d.sleep(time.Minute)
		midnight := hongyan.NextBeijingMidnight(time.Now())
		for _, id := range []string{kept, bulk, late} {
			if m := d.want(id, hongyan.Held, hongyan.HoldQuota); m.Hold != nil && !m.Hold.Until.Equal(midnight) {
				d.Errorf("held until %v, want midnight", m.Hold.Until)
			}
		}
		if n := d.wechat.count(sendPath); n != 5 {
			d.Errorf("%d calls, limit 5", n)
		}
		d.sleep(time.Until(midnight) + time.Second)
		d.want(late, hongyan.Accepted, "")
	})
}
