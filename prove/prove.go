// Package prove is the crash proof that anybody can run: real processes of the
// program, kill -9 under load, and an outside ledger to judge by. Load comes
// from this process, the platform is a sandbox process that no test kills, and
// the gateways are killed and restarted again and again. Afterwards the callers'
// 202s, the sandbox's ledger and the store are compared.
//
// Start with Run and tests.go, the list of the tests; kills.go is the first and
// longest of them, ledgers.go and invariants.go are how it is judged. What is
// promised, and what is not, is in docs/reliability.md.
package prove

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongyan/internal/fault"
)

// Config says what to prove.
type Config struct {
	Exe        string        // the hongyan binary the children run
	Kills      int           // of tests kills and batch; 0 = 20
	Messages   int           // of test kills; 0 = 250 for each kill, at least 2,000
	Recipients int           // of test batch; 0 = 20,000
	Seed       int64         // of the messages, the kills and the platform's choices; 0 = a new one
	Database   string        // a postgres:// URL; "" = SQLite in a folder of its own
	Restart    string        // a shell command that restarts the server of Database, for test database; "" = it is not restarted
	Nodes      int           // gateways; 0 = one on SQLite, three on PostgreSQL
	Lease      time.Duration // how long a silent process keeps its messages; 0 = its own default
	Only       []string      // names of tests, "all" = every one; none = kills, or the one that shows the defect planted
	Break      string        // a defect to plant in every gateway; "" = none
	Folder     string        // where each test's folder goes; "" = the system's for temporary files
	Keep       bool          // leave the folders there
	Say        func(Line)    // told what goes on; nil = nobody
}

// Line is something that goes on.
type Line struct {
	Test  string
	Since time.Duration // the test began
	Text  string
	Last  bool // the test has ended
	OK    bool // if it has
}

// Defaults of Config.
const (
	defaultKills    = 20
	messagesPerKill = 250
	leastMessages   = 2_000
	clusterNodes    = 3
)

func (c Config) withDefaults() Config {
	if c.Kills <= 0 {
		c.Kills = defaultKills
	}
	if c.Messages <= 0 {
		c.Messages = max(leastMessages, c.Kills*messagesPerKill)
	}
	if c.Recipients <= 0 {
		c.Recipients = defaultRecipients
	}
	if c.Seed == 0 {
		c.Seed = 1 + time.Now().UnixNano()%maxSeed
	}
	if len(c.Only) == 0 {
		c.Only = []string{shownBy(fault.Defect(c.Break))}
	}
	if c.Say == nil {
		c.Say = func(Line) {}
	}
	return c
}

// maxSeed keeps drawn seeds at nine digits, which people can retype.
const maxSeed = 999_999_999

func (c *Config) postgres() bool {
	return strings.HasPrefix(c.Database, "postgres://") || strings.HasPrefix(c.Database, "postgresql://")
}

// nodes is how many gateways a rig has.
func (c *Config) nodes() int {
	switch {
	case c.Nodes > 0:
		return c.Nodes
	case c.postgres():
		return clusterNodes
	default:
		return 1
	}
}

// UsageError is a Config that cannot be run.
type UsageError struct{ What, Cure string }

func (e *UsageError) Error() string { return e.What }

// Check says what is wrong with a Config, nil when nothing is.
func (c *Config) Check() error {
	if c.Kills < 0 || c.Messages < 0 || c.Recipients < 0 || c.Seed < 0 || c.Lease < 0 {
		return &UsageError{"--kills, --messages, --recipients, --seed and --lease must not be negative", "see hongyan prove --help"}
	}
	if c.Database != "" && !c.postgres() {
		return &UsageError{fmt.Sprintf("--database %q is not a postgres:// URL", c.Database), "leave it out for SQLite: each test makes a database of its own"}
	}
	if c.Restart != "" && !c.postgres() {
		return &UsageError{"--restart needs --database", "it restarts the PostgreSQL server that --database names"}
	}
	if c.Break != "" && !slices.Contains(fault.Defects(), fault.Defect(c.Break)) {
		return &UsageError{fmt.Sprintf("--break %q is not one of %s", c.Break, words(fault.Defects())), "see hongyan prove --help"}
	}
	for _, name := range c.Only {
		if name != everyTest && !slices.ContainsFunc(Tests(), func(t Test) bool { return t.Name == name }) {
			return &UsageError{fmt.Sprintf("--only %q is no test", name), "hongyan prove --list shows them"}
		}
	}
	return nil
}

func words[T ~string](all []T) string {
	var list []string
	for _, w := range all {
		list = append(list, string(w))
	}
	return strings.Join(list, ", ")
}

// Report is what `hongyan prove --json` prints.
type Report struct {
	OK         bool     `json:"ok"` // every invariant holds in every test that could be run
	Seed       int64    `json:"seed"`
	Database   string   `json:"database"` // sqlite or postgres
	Nodes      int      `json:"nodes"`
	Break      string   `json:"break,omitempty"`
	Kills      int      `json:"kills"`
	Promised   int      `json:"promised"` // 202s
	Lost       int      `json:"lost"`     // of those, without a row
	Duplicated int      `json:"duplicated"`
	Uncertain  int      `json:"uncertain"`
	Recovery   *Spread  `json:"recovery_ms"` // from a kill to the next message that the platform has taken
	Seconds    float64  `json:"seconds"`
	Tests      []Result `json:"tests"`
}

// Spread is a set of durations, in milliseconds.
type Spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	Max float64 `json:"max"`
}

// spread sorts and measures; nil for nothing.
func spread(all []time.Duration) *Spread {
	if len(all) == 0 {
		return nil
	}
	all = slices.Sorted(slices.Values(all))
	return &Spread{N: len(all), P50: ms(all[len(all)/2]), Max: ms(all[len(all)-1])}
}

func ms(d time.Duration) float64 { return float64(d.Round(time.Millisecond/10).Microseconds()) / 1000 }

// Result is how one test ended.
type Result struct {
	Name       string             `json:"name"`
	Number     int                `json:"number"` // in docs/reliability.md
	OK         bool               `json:"ok"`
	Skipped    string             `json:"skipped,omitempty"` // why it cannot be run here
	Seconds    float64            `json:"seconds"`
	Figures    map[string]float64 `json:"figures"`
	Violations []Violation        `json:"violations"`
	Folder     string             `json:"folder,omitempty"` // what it left, if something is wrong or Keep is set
}

// Run runs the tests one after the other. The error is for what kept a test from
// being run; a test that fails is in the Report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if err := cfg.Check(); err != nil {
		return Report{}, err
	}
	cfg = cfg.withDefaults()
	began := time.Now()
	report := Report{OK: true, Seed: cfg.Seed, Database: "sqlite", Nodes: cfg.nodes(), Break: cfg.Break, Tests: []Result{}}
	if cfg.postgres() {
		report.Database = "postgres"
	}
	for _, test := range Tests() {
		if !chosen(cfg.Only, test.Name) {
			continue
		}
		t := &trial{cfg: cfg, test: test, began: time.Now()}
		if err := t.run(ctx); err != nil {
			return report, fmt.Errorf("test %s: %w", test.Name, err)
		}
		report.add(t)
	}
	report.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	return report, nil
}

func chosen(only []string, name string) bool {
	return slices.Contains(only, name) || slices.Contains(only, everyTest)
}

// everyTest is the word for all of them.
const everyTest = "all"

func (r *Report) add(t *trial) {
	r.Tests = append(r.Tests, t.result)
	r.OK = r.OK && (t.result.OK || t.result.Skipped != "")
	r.Kills += int(t.result.Figures["kills"])
	r.Promised += int(t.result.Figures["promised"])
	r.Lost += int(t.result.Figures["lost"])
	r.Duplicated += int(t.result.Figures["duplicated"])
	r.Uncertain += int(t.result.Figures["uncertain"])
	if t.recovery != nil {
		r.Recovery = t.recovery
	}
}
