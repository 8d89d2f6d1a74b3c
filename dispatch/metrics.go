package dispatch

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"hongyan"
)

// metrics counts what the engine does. All methods are safe for concurrent use.
type metrics struct {
	attempts *prometheus.CounterVec
	settledN *prometheus.CounterVec
	accepted *prometheus.CounterVec
	latency  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongyan_attempts_total", Help: "Calls to WeChat by outcome and errcode.",
		}, []string{"appid", "kind", "outcome", "errcode"}),
		settledN: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongyan_settled_total", Help: "Outcomes recorded, by the state the message went to.",
		}, []string{"appid", "kind", "state"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongyan_messages_total", Help: "Messages asked for, by what became of them: new, replay, duplicate, mismatch, no_account.",
		}, []string{"appid", "kind", "how"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hongyan_wechat_seconds", Help: "Duration of one call to WeChat.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.attempts, m.settledN, m.accepted, m.latency)
	}
	return m
}

func (m *metrics) attempt(appID string, kind hongyan.MessageKind, a hongyan.Attempt) {
	errcode := ""
	if a.Outcome == hongyan.Answered {
		errcode = strconv.Itoa(a.Errcode)
	}
	m.attempts.WithLabelValues(appID, string(kind), a.Outcome.String(), errcode).Inc()
	m.latency.Observe(a.EndedAt.Sub(a.StartedAt).Seconds())
}

func (m *metrics) settled(appID string, kind hongyan.MessageKind, s hongyan.State) {
	m.settledN.WithLabelValues(appID, string(kind), s.String()).Inc()
}

var insertWords = [...]string{"new", "replay", "duplicate", "mismatch", "no_account"}

func (m *metrics) inserted(appID string, kind hongyan.MessageKind, how int) {
	m.accepted.WithLabelValues(appID, string(kind), insertWords[how]).Inc()
}
