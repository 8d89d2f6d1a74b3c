package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics is what /metrics shows. The engine registers its own counters.
type metrics struct {
	registry *prometheus.Registry
	pushes   *prometheus.CounterVec

	compatSeconds     *prometheus.HistogramVec
	compatCodes       *prometheus.CounterVec
	deliveries        *prometheus.CounterVec
	deliveriesSeconds *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongyan_callback_pushes_total",
			Help: "Pushes received from WeChat, by account, event type and result.",
		}, []string{"appid", "type", "result"}),
	}
	m.compatCodes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hongyan_compat_calls_total",
		Help: "Calls on the WeChat-compatible surface, by account, path or prefix, and errcode answered.",
	}, []string{"appid", "path", "errcode"})
	m.compatSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hongyan_compat_seconds", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		Help: "Time to answer calls on the WeChat-compatible surface, by path or prefix.",
	}, []string{"path"})
	m.deliveries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hongyan_downstream_attempts_total",
		Help: "Attempts to hand pushes on, by downstream and outcome.",
	}, []string{"downstream", "outcome"})
	m.deliveriesSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hongyan_downstream_seconds", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		Help: "Time downstreams take to answer.",
	}, []string{"downstream"})
	m.registry.MustRegister(m.pushes, m.compatCodes, m.compatSeconds, m.deliveries, m.deliveriesSeconds, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observePush counts one push.
func (m *metrics) observePush(appID, eventType, result string) {
	m.pushes.WithLabelValues(appID, eventType, result).Inc()
}

// observeCompat counts one call on the compatible surface.
func (m *metrics) observeCompat(appID, path string, errcode int, took time.Duration) {
	m.compatCodes.WithLabelValues(appID, path, strconv.Itoa(errcode)).Inc()
	m.compatSeconds.WithLabelValues(path).Observe(took.Seconds())
}

// observeDelivery counts one attempt to hand a push on.
func (m *metrics) observeDelivery(target, outcome string, took time.Duration) {
	m.deliveries.WithLabelValues(target, outcome).Inc()
	m.deliveriesSeconds.WithLabelValues(target).Observe(took.Seconds())
}
