package postgres

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"hongyan"
	"hongyan/store"
)

// statements collects the texts of all statements the stores of a test ran.
type statements struct {
	mu    sync.Mutex
	texts map[string]bool
}

func (st *statements) add(sql string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.texts[sql] = true
}

// statements are a pgx tracer.
func (st *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	st.add(data.SQL)
	return ctx
}
func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (st *statements) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	st.add(data.SQL)
}
func (*statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// growing are the tables that may have millions of rows.
var growing = regexp.MustCompile(`Seq Scan on (messages|attempts|events|orphans|idempotency|usage|deliveries|issued_tokens|audit|counts|news|webhook_deliveries)\b`)

// unbound is what stands before a condition on the index, if there is one.
var unbound = regexp.MustCompile(`Index (Only )?Scan .*using (messages|attempts|events|orphans|idempotency|usage|deliveries|issued_tokens|audit|news|webhook_deliveries)_`)

// walks are statements that go through an index in its order and stop after a few rows.
var walks = regexp.MustCompile(`LIMIT`)

// whole are statements that read a table from end to end and are meant to.
var whole = regexp.MustCompile(`FROM counts GROUP BY|^SELECT count\(\*\) FROM messages$`)

// TestHotStatementsHaveOnePlan: those that are planned once find their rows by an index
// condition, also when the plan is made for empty tables, where reading everything costs
// as little.
func TestHotStatementsHaveOnePlan(t *testing.T) {
	s := newTestStore(t)
	p, err := s.pool.Acquire(t.Context())
	mustDo(t, err)
	defer p.Release()
	_, err = p.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan")
	mustDo(t, err)
	for name, sql := range map[string]string{
		"known keys": knownKeysSQL, "earlier": earlierSQL, "insert": insertSQL, "claim": claimSQL, "accepted": acceptedSQL, "settle": settleSQL,
		"record": recordSQL, "state": stateSQL, "keep last": keepLastSQL, "owners": ownersSQL, "receive": receiveSQL, "events": eventsSQL,
		"begin": beginSQL, "block": blockSQL, "unblock": unblockSQL, "claim deliveries": claimDeliveriesSQL, "finish deliveries": finishSQL, "answered": answeredSQL,
		"claim news": claimNewsSQL, "finish news": finishNewsSQL, "begin news": beginNewsSQL,
	} {
		lines := explainGeneric(t, p.Conn(), sql)
		for i, line := range lines {
			bound := i+1 < len(lines) && strings.Contains(lines[i+1], "Index Cond")
			if growing.MatchString(line) || unbound.MatchString(line) && !bound {
				t.Errorf("%s: %s in\n%s", name, line, strings.Join(lines, "\n"))
			}
		}
	}
}

// planned are statements that have a plan.
var planned = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b`)

// checkPlans looks at how PostgreSQL would run every statement the suite made, with a
// queue's settings and no knowledge of the arguments: none may read a table that grows
// from end to end, though the tables are empty and that would be cheapest.
func checkPlans(t *testing.T, texts []string) {
	if len(texts) < 50 {
		t.Fatalf("only %d statements were collected", len(texts))
	}
	s := newTestStore(t)
	p, err := s.pool.Acquire(t.Context())
	mustDo(t, err)
	defer p.Release()
	_, err = p.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan")
	mustDo(t, err)
	for _, text := range texts {
		if !planned.MatchString(text) || whole.MatchString(text) || strings.Contains(text, "set_config") {
			continue
		}
		lines := explainGeneric(t, p.Conn(), text)
		for i, line := range lines {
			if growing.MatchString(line) {
				t.Errorf("%s\nreads a whole table: %s", text, line)
			}
			bound := i+1 < len(lines) && strings.Contains(lines[i+1], "Index Cond")
			if !bound && unbound.MatchString(line) && !walks.MatchString(text) {
				t.Errorf("%s\nreads a whole index: %s\n%s", text, line, strings.Join(lines, "\n"))
			}
		}
	}
}

// explainGeneric returns the plan of a statement for any arguments.
func explainGeneric(t *testing.T, c *pgx.Conn, text string) []string {
	t.Helper()
	_, err := c.Exec(t.Context(), "PREPARE one AS "+text)
	if err != nil {
		t.Fatalf("prepare %s: %v", text, err)
	}
	n := 0
	for strings.Contains(text, fmt.Sprintf("$%d", n+1)) {
		n++
	}
	execute := "EXPLAIN EXECUTE one"
	if n > 0 {
		execute += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	lines := planLines(t, c, execute)
	_, err = c.Exec(t.Context(), "DEALLOCATE one")
	mustDo(t, err)
	return lines
}

func planLines(t *testing.T, c *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := c.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return lines
}

// TestPlansDoNotFlip: a queue that is drained, looked at by VACUUM ANALYZE while it is
// empty, and filled again is still read by its index. PostgreSQL takes it for empty
// then, and would read all of it for every claim.
func TestPlansDoNotFlip(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	epoch, err := s.Join(t.Context(), "node", 0)
	mustDo(t, err)
	fill := func(n int) {
		_, err := s.InsertMessages(t.Context(), testMessages(n, 0))
		mustDo(t, err)
	}
	vacuum := func() {
		_, err := s.pool.Exec(t.Context(), "VACUUM ANALYZE")
		mustDo(t, err)
	}
	drain := func() {
		for {
			ms, err := s.Claim(t.Context(), epoch, []store.Want{{AppID: testAppID, Kind: hongyan.KindTemplate, Max: 500}})
			if mustDo(t, err); len(ms) == 0 {
				return
			}
			_, err = s.FinishAttempts(t.Context(), testResults(ms, s.Now()))
			mustDo(t, err)
		}
	}
	check := func(when string) {
		p, err := s.pool.Acquire(t.Context())
		mustDo(t, err)
		defer p.Release()
		_, err = p.Exec(t.Context(), "SET plan_cache_mode = force_custom_plan") // for what there is, not for any arguments
		mustDo(t, err)
		one := []int64{1}
		var many []*settling
		for _, r := range testResults(make([]hongyan.Message, 500), s.Now()) {
			many = append(many, &settling{Result: new(r)})
		}
		for name, c := range map[string]struct {
			sql   string
			args  []any
			index string
		}{
			"claim":    {claimSQL, []any{epoch, 1, 0, 10}, "Index Scan using messages_queue"},
			"accepted": {acceptedSQL, acceptedArgs(many), "Index Scan using messages_pkey on messages"},
			"owners":   {ownersSQL, []any{one, []string{testAppID}}, "Index Scan using messages_msgid"},
			"held":     {heldSQL, nil, "using messages_leased"},
			"streams":  {streamsSQL, nil, "using messages_queue"},
		} {
			lines := planLines(t, p.Conn(), "EXPLAIN "+c.sql, c.args...)
			plan := strings.Join(lines, "\n")
			if strings.Contains(plan, "Seq Scan on messages") || !strings.Contains(plan, c.index) {
				t.Errorf("%s, %s: want %q in\n%s", name, when, c.index, plan)
			}
			for i, line := range lines {
				if strings.Contains(line, c.index) && (i+1 == len(lines) || !strings.Contains(lines[i+1], "Index Cond")) && name != "held" && name != "streams" {
					t.Errorf("%s, %s: the index is read from end to end in\n%s", name, when, plan)
				}
			}
		}
	}
	vacuum()
	fill(2000)
	check("filled after it was analysed empty")
	drain()
	vacuum()
	fill(4000)
	check("filled again")
	_, err = s.pool.Exec(t.Context(), "DELETE FROM messages")
	mustDo(t, err)
	vacuum()
	fill(4000)
	check("filled after it was emptied")
	drain()
}

// collected are the statements of a map, in order.
func (st *statements) collected() []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Sorted(maps.Keys(st.texts))
}
