package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the numbers about HTTP and this process. The engine's come from
// Config.Gatherer.
type metrics struct {
	requests *prometheus.HistogramVec
	page     http.Handler
}

// requestBuckets, in seconds: an accept takes milliseconds, a template sync seconds.
var requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 45}

// newMetrics builds the page of /metrics from our own numbers, what state adds
// (nil = nothing) and what more gathers (nil = nothing).
func newMetrics(state prometheus.Collector, more prometheus.Gatherer) *metrics {
	own := prometheus.NewRegistry()
	m := &metrics{requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hongyan_http_request_seconds", Help: "Time to answer an HTTP request, by route and status.", Buckets: requestBuckets,
	}, []string{"route", "status"})}
	own.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.requests)
	if state != nil {
		own.MustRegister(state)
	}
	all := prometheus.Gatherers{own}
	if more != nil {
		all = append(all, more)
	}
	m.page = promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return m
}

// observe counts one request. The route is the pattern, never the path: ids
// would make a series each.
func (m *metrics) observe(route string, status int, took time.Duration) {
	if status == 0 {
		status = http.StatusOK
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}
