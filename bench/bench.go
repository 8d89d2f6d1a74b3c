// Package bench measures the gateway beside a bare loop: goroutines that POST
// the same bodies with net/http to the same upstream and store nothing. The
// upstream answers every call at once, or after a fixed latency, and is not the
// sandbox: it costs as little as can be.
//
// Gateway, bare loop, load generator and upstream are processes of their own
// on one machine, with equal numbers of calls in flight, so the ratio of the
// two rates means more than either. Start with Run; child.go is what the
// processes do, and docs/performance.md how to read the result.
package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"
)

// Config says what to measure.
type Config struct {
	Exe      string        // the hongyan binary the children run
	Messages int           // per scenario; 0 = 50,000
	InFlight int           // calls in flight without latency; 0 = 64
	Latency  time.Duration // of the last scenario's upstream; 0 = 20 ms
	Callers  int           // connections that post singles; 0 = 64
	Folder   string        // where each scenario's database goes, in a folder of its own; "" = the system's for temporary files
	Progress io.Writer     // a line per step; nil = none
	Stderr   io.Writer     // what the children write there
}

// Defaults of Config.
const (
	defaultMessages = 50_000
	defaultInFlight = 64
	defaultLatency  = 20 * time.Millisecond
	defaultCallers  = 64
	// slowInFlight keeps a slow upstream busy: rate times latency (research: at
	// 20 ms a ceiling of 25,600/s).
	slowInFlight = 512
)

// Report is what `hongyan bench --json` prints.
type Report struct {
	Machine   Machine    `json:"machine"`
	Messages  int        `json:"messages"`
	Scenarios []Scenario `json:"scenarios"`
	Idle      Idle       `json:"idle"`
}

// Idle is how soon an idle gateway calls WeChat: from the moment a caller
// posts to the moment the call arrives.
type Idle struct {
	P50MS float64 `json:"post_to_call_p50_ms"`
	P99MS float64 `json:"post_to_call_p99_ms"`
}

// Machine says where it was measured.
type Machine struct {
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	OS   string `json:"os"`
}

// Scenario is one measurement: the gateway and, just before, the bare loop.
type Scenario struct {
	Name     string  `json:"name"` // drain, batch, single, latency20
	BareLoop Side    `json:"bare_loop"`
	Gateway  Gateway `json:"gateway"`
	Ratio    float64 `json:"ratio"` // gateway rate / bare rate
}

// Side is a rate and what it cost.
type Side struct {
	Rate       float64 `json:"rate"`           // messages per second
	CPUPer1000 float64 `json:"cpu_s_per_1000"` // seconds of CPU of that process
}

// Gateway is the gateway's side of a scenario.
type Gateway struct {
	Rate       float64 `json:"rate"`
	CPUPer1000 float64 `json:"cpu_s_per_1000"`
	// How long a caller waits for its 202; nil where no single messages are posted.
	AcceptP50MS *float64 `json:"accept_p50_ms"`
	AcceptP99MS *float64 `json:"accept_p99_ms"`
	RSSMB       float64  `json:"rss_mb"` // peak of the process so far
}

// Decimals that mean something: runs differ by a hundredth at best.
const (
	rateDecimals  = 1 // messages per second
	cpuDecimals   = 4 // seconds per 1,000 messages
	ratioDecimals = 3
	msDecimals    = 2 // milliseconds
	mbDecimals    = 1
)

// rounded cuts what is only noise.
func rounded(v float64, decimals int) float64 {
	unit := math.Pow10(decimals)
	return math.Round(v*unit) / unit
}

// withDefaults fills in the zero fields.
func (c Config) withDefaults() Config {
	if c.Messages <= 0 {
		c.Messages = defaultMessages
	}
	if c.InFlight <= 0 {
		c.InFlight = defaultInFlight
	}
	if c.Latency <= 0 {
		c.Latency = defaultLatency
	}
	if c.Callers <= 0 {
		c.Callers = defaultCallers
	}
	return c
}

// Run measures every scenario. Each has a gateway with an empty database of
// its own, removed afterwards.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	report := Report{Machine: thisMachine(), Messages: cfg.Messages}
	slow := fmt.Sprintf("latency%d", cfg.Latency.Milliseconds())
	for _, sc := range []setup{
		{name: "drain", inFlight: cfg.InFlight, measure: measureDrain},
		{name: "batch", inFlight: cfg.InFlight, measure: measureBatch},
		{name: "single", inFlight: cfg.InFlight, measure: measureSingle},
		{name: slow, inFlight: slowInFlight, latency: cfg.Latency, measure: measureDrain},
	} {
		s, err := sc.run(ctx, cfg)
		if err != nil {
			return report, fmt.Errorf("bench %s: %w", sc.name, err)
		}
		report.Scenarios = append(report.Scenarios, s)
	}
	var err error
	report.Idle, err = measureIdle(ctx, cfg)
	if err != nil {
		return report, fmt.Errorf("bench idle: %w", err)
	}
	return report, nil
}
