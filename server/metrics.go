package server

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics is what /metrics shows. The engine registers its own counters.
type metrics struct {
	registry *prometheus.Registry
	pushes   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongyan_callback_pushes_total",
			Help: "Pushes received from WeChat, by account, event type and result.",
		}, []string{"appid", "type", "result"}),
	}
	m.registry.MustRegister(m.pushes, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observePush counts one push.
func (m *metrics) observePush(appID, eventType, result string) {
	m.pushes.WithLabelValues(appID, eventType, result).Inc()
}
