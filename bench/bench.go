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
	"slices"
	"time"
)

// Config says what to measure.
type Config struct {
	Exe       string        // the hongyan binary the children run
	Messages  int           // per scenario; 0 = 50,000
	InFlight  int           // calls in flight without latency; 0 = 64
	Latency   time.Duration // of the last scenario's upstream; 0 = 20 ms
	Callers   int           // connections that post singles; 0 = 64
	Accounts  int           // of scenario accounts; 0 = 1,000
	Watch     time.Duration // how long the scenarios quiet, accounts and idle look; 0 = 10 s
	Database  string        // a database that every scenario uses, as serve takes it; "" = one in Folder for each
	Scenarios []string      // by name; none = all
	Peers     []string      // other programs to measure beside scenario single: "inline"
	Folder    string        // where each scenario's database goes, in a folder of its own; "" = the system's for temporary files
	Profile   string        // folder for a CPU profile of the gateway in each scenario with a bare loop; "" = none
	Progress  io.Writer     // a line per step; nil = none
	Stderr    io.Writer     // what the children write there

	trust string // file with the certificates that children trust; "" = the system's
}

// Defaults of Config.
const (
	defaultMessages = 50_000
	defaultInFlight = 64
	defaultLatency  = 20 * time.Millisecond
	defaultCallers  = 64
	defaultAccounts = 1000
	defaultWatch    = 10 * time.Second
	// slowInFlight keeps a slow upstream busy: rate times latency (research: at
	// 20 ms a ceiling of 25,600/s).
	slowInFlight = 512
)

// Report is what `hongyan bench --json` prints.
type Report struct {
	Machine   Machine    `json:"machine"`
	Messages  int        `json:"messages"`
	Scenarios []Scenario `json:"scenarios"`
	// Measurements are the scenarios without a bare loop.
	Measurements []Measurement `json:"measurements"`
	Idle         *Idle         `json:"idle,omitempty"`
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
	Name     string          `json:"name"` // drain, batch, single, latency20, tls
	BareLoop Side            `json:"bare_loop"`
	Peers    map[string]Side `json:"peers,omitempty"`
	Gateway  Gateway         `json:"gateway"`
	Ratio    float64         `json:"ratio"` // gateway rate / bare rate
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
	// Rows inserted, changed or removed per message while they were measured; nil where the store does not count.
	RowWrites *float64 `json:"row_writes_per_message"`
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
	if c.Accounts <= 0 {
		c.Accounts = defaultAccounts
	}
	if c.Watch <= 0 {
		c.Watch = defaultWatch
	}
	return c
}

// sides are the scenarios with a bare loop beside them.
func (c Config) sides() []setup {
	return []setup{
		{name: "drain", inFlight: c.InFlight, measure: measureDrain},
		{name: "batch", inFlight: c.InFlight, measure: measureBatch},
		{name: "single", inFlight: c.InFlight, measure: measureSingle, peer: true},
		{name: fmt.Sprintf("latency%d", c.Latency.Milliseconds()), inFlight: slowInFlight, latency: c.Latency, measure: measureDrain},
		{name: "tls", inFlight: c.InFlight, measure: measureDrain, tls: true},
	}
}

// alone are those without one.
var alone = []struct {
	name    string
	measure func(context.Context, Config) (Measurement, error)
}{
	{"accept", measureAccept}, {"receipts", measureReceipts}, {"quiet", measureQuiet}, {"backlog", measureBacklog}, {"accounts", measureIdleAccounts},
}

// idleName is the scenario whose result is Report.Idle.
const idleName = "idle"

// Names lists every scenario in the order they are run.
func (c Config) Names() []string {
	var names []string
	for _, s := range c.withDefaults().sides() {
		names = append(names, s.name)
	}
	for _, a := range alone {
		names = append(names, a.name)
	}
	return append(names, idleName)
}

// unprofiled is c for scenarios of which no profile is asked for.
func (c Config) unprofiled() Config {
	c.Profile = ""
	return c
}

// wants reports whether a scenario was asked for.
func (c Config) wants(name string) bool {
	return len(c.Scenarios) == 0 || slices.Contains(c.Scenarios, name)
}

// Run measures the scenarios that were asked for. Each has a gateway with an empty
// database of its own, removed afterwards, unless Config names one for all.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	report := Report{Machine: thisMachine(), Messages: cfg.Messages, Scenarios: []Scenario{}, Measurements: []Measurement{}}
	for _, sc := range cfg.sides() {
		if !cfg.wants(sc.name) {
			continue
		}
		s, err := sc.run(ctx, cfg)
		if err != nil {
			return report, fmt.Errorf("bench %s: %w", sc.name, err)
		}
		report.Scenarios = append(report.Scenarios, s)
	}
	for _, a := range alone {
		if !cfg.wants(a.name) {
			continue
		}
		m, err := a.measure(ctx, cfg.unprofiled())
		if err != nil {
			return report, fmt.Errorf("bench %s: %w", a.name, err)
		}
		report.Measurements = append(report.Measurements, m)
	}
	if !cfg.wants(idleName) {
		return report, nil
	}
	idle, err := measureIdle(ctx, cfg.unprofiled())
	if err != nil {
		return report, fmt.Errorf("bench idle: %w", err)
	}
	report.Idle = &idle
	return report, nil
}
