package sandbox

// Stats counts what happened since the last reset.
type Stats struct {
	Calls        map[string]map[int]int64    `json:"calls"`         // by path, then errcode (or HTTP status, see LedgerEntry)
	TokenFetches map[string]map[string]int64 `json:"token_fetches"` // by appid, then space: plain, stable; calls with the right secret
	Delivered    int64                       `json:"delivered"`     // messages shown
	Undelivered  int64                       `json:"undelivered"`   // delivered with a failure
	Pushes       int64                       `json:"pushes"`        // deliveries of events that were attempted
	PushesFailed int64                       `json:"pushes_failed"` // of those: no answer in time, or no 2xx
	EventsLost   int64                       `json:"events_lost"`   // given up, or due while pushes were blocked
}

type stats struct {
	calls                  map[string]map[int]int64
	delivered, undelivered int64
	pushes, failed, lost   int64
}

// maxStatsPaths bounds the paths counted apart: callers may invent any.
const (
	maxStatsPaths = 500
	otherPaths    = "(other)"
)

func newStats() stats { return stats{calls: map[string]map[int]int64{}} }

func (st *stats) count(path string, code int) {
	byCode := st.calls[path]
	if byCode == nil && len(st.calls) >= maxStatsPaths {
		path = otherPaths
		byCode = st.calls[path]
	}
	if byCode == nil {
		byCode = map[int]int64{}
		st.calls[path] = byCode
	}
	byCode[code]++
}

// Stats returns the counters.
func (s *Sandbox) Stats() Stats {
	defer s.unlock()
	p := s.lock()
	out := Stats{
		Calls: map[string]map[int]int64{}, TokenFetches: map[string]map[string]int64{},
		Delivered: p.stats.delivered, Undelivered: p.stats.undelivered,
		Pushes: p.stats.pushes, PushesFailed: p.stats.failed, EventsLost: p.stats.lost,
	}
	for path, byCode := range p.stats.calls {
		out.Calls[path] = map[int]int64{}
		for code, n := range byCode {
			out.Calls[path][code] = n
		}
	}
	for _, a := range p.order {
		out.TokenFetches[a.appID] = map[string]int64{"plain": a.plain.fetches, "stable": a.stable.fetches}
	}
	return out
}
