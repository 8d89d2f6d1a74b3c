package sqlite

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

// TestPendingCountersSurviveTheRow writes counters of every size and reads them back.
func TestPendingCountersSurviveTheRow(t *testing.T) {
	all := pending{map[countKey]int64{}, map[usageKey]int64{}}
	for i, n := range []int64{1, -1, 63, 64, -65, 1 << 40, math.MaxInt64, math.MinInt64} {
		all.counts[countKey{fmt.Sprintf("wx%d", i), hongyan.KindTemplate, hongyan.State(i)}] = n
		all.usage[usageKey{"wx", fmt.Sprintf("template:%d\x00模板", i), "day", n}] = n
	}
	for name, want := range map[string]pending{"many": all, "none": {map[countKey]int64{}, map[usageKey]int64{}}} {
		got, err := decodePending(want.encode())
		mustDo(t, err)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(pending{}, countKey{}, usageKey{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// FuzzDecodePending: a row that is not ours is an error, never a panic or an endless read.
func FuzzDecodePending(f *testing.F) {
	p := pending{map[countKey]int64{{"wx", hongyan.KindTemplate, hongyan.Queued}: 5}, map[usageKey]int64{{"wx", "account", "day", 7}: 5}}
	whole := p.encode()
	for n := range whole {
		f.Add(whole[:n])
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePending(b)
		if err != nil {
			return
		}
		again, err := decodePending(p.encode())
		if err != nil || !maps.Equal(p.counts, again.counts) || !maps.Equal(p.usage, again.usage) {
			t.Errorf("%v became %v, %v", p, again, err)
		}
	})
}

// TestCountersAreRightWhereverTheyStand: few accounts keep their counters in the row,
// many are added to the tables; a reopened database tells the same.
func TestCountersAreRightWhereverTheyStand(t *testing.T) {
	for _, accounts := range []int{1, 3 * maxPending} {
		t.Run(fmt.Sprintf("%d accounts", accounts), func(t *testing.T) {
			path := t.TempDir() + "/hongyan.db"
			s := openTestStore(t, path)
			for i := range accounts {
				appID := fmt.Sprintf("wx%016d", i)
				mustDo(t, s.CreateAccount(t.Context(), hongyan.Account{AppID: appID, Secret: "s"}))
				m := hongyan.Message{ID: appID, AppID: appID, Kind: hongyan.KindTemplate, ToUser: "o", TemplateID: "t", ClientMsgID: appID, Payload: []byte("{}")}
				_, err := s.InsertMessages(t.Context(), []store.NewMessage{{Message: m}})
				mustDo(t, err, s.AddUsage(t.Context(), []store.UsageDelta{{AppID: appID, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", s.Now()), N: 2}}))
			}
			for range 2 {
				checkCounters(t, s)
				used, err := s.Usage(t.Context(), fmt.Sprintf("wx%016d", accounts-1))
				mustDo(t, err)
				if len(used) != 1 || used[0].Used != 2 {
					t.Errorf("usage: %+v, want 2", used)
				}
				mustDo(t, s.Close())
				s = openTestStore(t, path)
			}
		})
	}
}
