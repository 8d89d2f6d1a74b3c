package batch

import "github.com/prometheus/client_golang/prometheus"

// metrics counts rows. All methods are safe for concurrent use.
type metrics struct {
	uploaded *prometheus.CounterVec
	rows     *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		uploaded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongyan_batch_uploaded_rows_total", Help: "Rows of uploads, by what they were: good, bad, skipped, or judged in a dry run.",
		}, []string{"result"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongyan_batch_rows_total", Help: "Rows of batches whose turn came: message, or refused late.",
		}, []string{"appid", "result"}),
	}
	if reg != nil {
		reg.MustRegister(m.uploaded, m.rows)
	}
	return m
}

func (m *metrics) staged(r *Report) {
	if r.DryRun {
		m.uploaded.WithLabelValues("dry_run").Add(float64(r.Rows))
		return
	}
	m.uploaded.WithLabelValues("good").Add(float64(r.Good))
	m.uploaded.WithLabelValues("bad").Add(float64(r.Bad))
	m.uploaded.WithLabelValues("skipped").Add(float64(r.Skipped))
}

func (m *metrics) fed(appID string, messages, late int) {
	m.rows.WithLabelValues(appID, "message").Add(float64(messages))
	if late > 0 {
		m.rows.WithLabelValues(appID, "refused").Add(float64(late))
	}
}
