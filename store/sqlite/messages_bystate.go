package sqlite

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"hongyan"
	"hongyan/store"
)

// listByState lists the messages of some accounts, some states, or both. No
// index has them in order of age across streams and states, so several roads
// are taken, each to its newest rows, and the newest of all win. The counters
// tell which roads lead anywhere.
func listByState(ctx context.Context, c *conn, holds holdIndex, f store.Filter) ([]hongyan.Message, error) {
	roads, err := findRoads(ctx, c, holds, f)
	if err != nil {
		return nil, err
	}
	var newest []int64
	for _, q := range roads {
		if newest, err = q.merge(ctx, c, f, newest); err != nil {
			return nil, err
		}
	}
	return readBySeq(ctx, c, newest)
}

// findRoads returns the queries that together find what the filter wants.
func findRoads(ctx context.Context, c *conn, holds holdIndex, f store.Filter) ([]listQuery, error) {
	streams, err := loadStreams(ctx, c)
	if err != nil {
		return nil, err
	}
	counts, err := loadCounts(ctx, c)
	if err != nil {
		return nil, err
	}
	var roads []listQuery
	for key, stream := range streams.numbers {
		if len(f.AppIDs) > 0 && !slices.Contains(f.AppIDs, key.appID) {
			continue
		}
		walked := map[hongyan.State]bool{}
		for _, state := range hongyan.States() {
			k := countKey{key.appID, key.kind, state}
			if counts[k] == 0 || len(f.States) > 0 && !holds.mayShow(k, f.States) {
				continue
			}
			if q, ok := shortRoad(stream, state, counts[k]); ok && len(f.States) > 0 {
				roads = append(roads, q.shownAs(holds, k, f.States))
			} else {
				walked[state] = true
			}
		}
		if len(walked) > 0 {
			queued := countKey{key.appID, key.kind, hongyan.Queued}
			roads = append(roads, longRoad(stream, walked).shownAs(holds, queued, f.States))
		}
	}
	return roads, nil
}

// shownAs checks row by row what the rows of a stream are shown as, while a
// hold covers some of the queued ones and not others.
func (q listQuery) shownAs(holds holdIndex, k countKey, states []hongyan.State) listQuery {
	if len(states) > 0 && k.state == hongyan.Queued && holds.partial(k.appID, k.kind) != nil {
		q.and(shownSQL, stateMask(states), millis(holds.now))
	}
	return q
}

// rareSQL is the condition of the index messages_rare, word for word.
const rareSQL = "state <> 0 AND state <> 2 AND state <> 4 AND state <> 8"

// fewQueued is how many queued rows are read and sorted rather than looked
// for among all messages: about 20 ms.
const fewQueued = 10_000

// shortRoad is a query for the messages of one stream and state that reads
// nothing else, if there is one.
func shortRoad(stream int64, state hongyan.State, n int64) (listQuery, bool) {
	var q listQuery
	switch state {
	case hongyan.Held, hongyan.Uncertain, hongyan.Failed, hongyan.Cancelled, hongyan.Expired, hongyan.Undelivered:
		q.from = "messages INDEXED BY messages_rare"
		q.and(rareSQL)
	case hongyan.Sending:
		q.from = "messages INDEXED BY messages_leased"
		q.and("state = 2 AND epoch > 0")
	case hongyan.Queued:
		if n > fewQueued {
			return q, false
		}
		q.from = "messages INDEXED BY messages_queue"
		q.and("state < 2 AND due_at > 0")
	default:
		return q, false
	}
	q.and("stream = ? AND state = ?", stream, int64(state))
	return q, true
}

// longRoad walks back through all messages of a stream. Accepted and delivered
// messages are found that way, as they are nearly all of them; when they are
// not, the walk is long, which is the price of not keeping an index of them.
func longRoad(stream int64, states map[hongyan.State]bool) listQuery {
	q := listQuery{from: "messages INDEXED BY messages_stream"}
	q.and("stream = ? AND (? >> state) & 1", stream, stateMask(slices.Collect(maps.Keys(states))))
	return q
}

// merge adds the newest row numbers of the road to newest, which is kept in
// descending order and no longer than a page and one.
func (q listQuery) merge(ctx context.Context, c *conn, f store.Filter, newest []int64) ([]int64, error) {
	q.filter(f)
	// What is older than a full page is of no use.
	after := int64(0)
	if len(newest) > f.Limit {
		after = newest[f.Limit]
	}
	q.and("seq > ?", after)
	err := c.query(ctx, func(r *row) error {
		newest = append(newest, r.int64())
		return nil
	}, q.sql("seq"), append(q.args, f.Before, f.Limit+1)...)
	slices.SortFunc(newest, func(a, b int64) int { return cmp.Compare(b, a) })
	return newest[:min(len(newest), f.Limit+1)], err
}
