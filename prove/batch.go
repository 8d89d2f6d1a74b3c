package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

const (
	defaultRecipients = 20_000
	// batchLatency is the platform's while a batch runs.
	batchLatency = 5 * time.Millisecond
	// uploadKills is how often a gateway dies while recipients arrive.
	uploadKills = 3
	// pauses is how often the batch is paused while it is sent.
	pauses = 2
	// stillAfter is how soon after a pause or a cancel no new message may leave.
	stillAfter = time.Second
	// stillFor is how long it is watched that none does.
	stillFor = 2 * time.Second
	// longEnough and longEnoughAKill are how long a batch at least takes, so that there is
	// something left of a small one to kill, to pause and to cancel.
	longEnough, longEnoughAKill = 3 * time.Second, 400 * time.Millisecond
	// mostRate is the highest rate a batch may be given.
	mostRate = 10_000
	// batchMemory is the most memory a gateway may take, in MB, however large the batch.
	batchMemory = 300
)

// runBatch is test 14 of design §7: a batch is uploaded, sent, paused and resumed, and a
// second one cancelled, while gateways are killed. Then the batch's results, the
// platform's ledger and the file are compared row by row.
func runBatch(ctx context.Context, t *trial) error {
	n := t.cfg.Recipients
	r, err := t.rig(ctx, rigOptions{latency: batchLatency, ledger: 4*n + 100_000, env: []string{orphanAfter, fmt.Sprintf("HONGYAN_SLOTS=%d", slots)}})
	if err != nil {
		return err
	}
	s := &batchStory{t: t, r: r, k: &killer{t: t, r: r, l: &load{r: r}}, dice: rand.New(rand.NewPCG(uint64(t.cfg.Seed), 0x62617463))} // "batc"
	endMemory := r.watchMemory(ctx)
	defer endMemory()

	all := &batchBook{r: r, rows: n}
	if err := s.upload(ctx, all); err != nil {
		return err
	}
	if err := s.send(ctx, all); err != nil {
		return err
	}
	cancelled := &batchBook{r: r, rows: max(1000, n/5), base: n}
	if err := s.cancel(ctx, cancelled); err != nil {
		return err
	}
	if err := s.judge(ctx, all, cancelled); err != nil {
		return err
	}
	most := endMemory()
	t.want(most <= batchMemory, "a gateway took %.0f MB, more than %d, for a batch of %d", most, batchMemory, n)
	t.figure("rss_mb_max", float64(int(most)))
	t.figure("recipients", float64(n+cancelled.rows))
	t.figure("kills", float64(s.k.done))
	return nil
}

// batchStory is the test while it runs.
type batchStory struct {
	t    *trial
	r    *rig
	k    *killer
	dice *rand.Rand
}

// try calls the API until a gateway answers: they are killed meanwhile, and started again
// here when they died at the point they were armed for.
func (s *batchStory) try(ctx context.Context, act func(api *client.Client) error) error {
	return s.ask(ctx, act, s.revive)
}

// ask is try with something else to do when no gateway answers.
func (s *batchStory) ask(ctx context.Context, act func(api *client.Client) error, mend func(context.Context) error) error {
	var err error
	return await(ctx, recoverWithin, lookEvery, func() (bool, error) {
		err = act(s.r.nodes[s.r.next.of(len(s.r.nodes))].client())
		if p, ok := errors.AsType[*client.Problem](err); ok && !p.Retryable && p.Status < 500 {
			return false, err
		}
		if err == nil {
			return true, nil
		}
		return false, mend(ctx)
	}, func() string { return fmt.Sprintf("no gateway answered: %v", err) })
}

// revive starts gateways that died by themselves, as they were armed to.
func (s *batchStory) revive(ctx context.Context) error {
	for _, n := range s.r.nodes {
		select {
		case <-n.child().gone:
		default:
			continue
		}
		if len(n.faults) == 0 {
			return fmt.Errorf("%s ended by itself: %w\n%s", n.url(), n.child().err, lastLines(n.log, 20))
		}
		n.faults = nil
		s.k.done, s.k.byOwn = s.k.done+1, s.k.byOwn+1
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// batch reads a batch.
func (s *batchStory) batch(ctx context.Context, id string) (b client.Batch, err error) {
	err = s.try(ctx, func(api *client.Client) error { b, err = api.Batch(ctx, id); return err })
	return b, err
}

// upload makes a batch and gives it its recipients. Each time the connection breaks, the
// same file is sent again from its start.
func (s *batchStory) upload(ctx context.Context, book *batchBook) error {
	data := s.r.who.order(plain, "", "{{order}}").Data
	err := s.try(ctx, func(api *client.Client) error {
		b, err := api.CreateBatch(ctx, client.BatchRequest{AppID: plain, TemplateID: s.r.who.templates[plain], Data: data, Name: "prove", RatePerSecond: s.rate(book)})
		book.id = b.ID
		return err
	})
	if err != nil {
		return err
	}
	began, ended := time.Now(), make(chan error, 1)
	go func() { ended <- s.sendFile(ctx, book) }()
	if err := s.killDuring(ctx, book, ended); err != nil {
		return err
	}
	b, err := s.batch(ctx, book.id)
	if err != nil {
		return err
	}
	took := time.Since(began)
	s.t.want(b.Rows == int64(book.rows) && b.Bad == 0, "%d rows were stored, %d of them bad; the file has %d good ones", b.Rows, b.Bad, book.rows)
	s.t.say("%d recipients are stored after %.1f s and %d kills", b.Rows, took.Seconds(), s.k.done)
	if book.base == 0 {
		s.t.figure("stored_per_s", float64(int(float64(book.rows)/took.Seconds())))
	}
	return nil
}

// rate is the batch's own, a second; 0 for a batch that takes long enough by itself.
func (s *batchStory) rate(book *batchBook) float64 {
	least := longEnough
	if book.base == 0 {
		least += time.Duration(s.t.cfg.Kills) * longEnoughAKill
	}
	if rate := float64(book.rows) / least.Seconds(); rate <= mostRate {
		return rate
	}
	return 0
}

// sendFile sends the file until a gateway has all of it.
func (s *batchStory) sendFile(ctx context.Context, book *batchBook) error {
	return s.ask(ctx, func(api *client.Client) error {
		_, err := api.UploadRecipients(ctx, book.id, book.file(), client.Upload{ContentType: client.CSV})
		return err
	}, func(context.Context) error { return nil }) // who kills meanwhile starts it again
}

// killDuring kills while the first batch's file is on its way: when a part of it has been stored.
func (s *batchStory) killDuring(ctx context.Context, book *batchBook, ended chan error) error {
	for i := 1; i <= uploadKills && book.base == 0; i++ {
		part := int64(book.rows * i / (uploadKills + 1))
		for stored := int64(0); stored < part; {
			select {
			case err := <-ended:
				if err == nil {
					s.t.say("the upload was over before kill %d of it", i)
				}
				return err
			case <-time.After(lookEvery):
			}
			b, err := s.batch(ctx, book.id)
			if err != nil {
				return err
			}
			stored = b.Rows
		}
		if err := s.kill(ctx, blow{node: s.dice.IntN(len(s.r.nodes)), gap: time.Millisecond}, nil); err != nil {
			return err
		}
	}
	return <-ended
}

// kill lets a blow fall and starts what it killed.
func (s *batchStory) kill(ctx context.Context, b blow, rest []blow) error {
	if err := s.k.fall(ctx, b); err != nil {
		return err
	}
	err := s.k.restart(ctx, s.r.nodes[b.node], nextPoint(rest, b.node))
	s.k.done++
	return err
}

// send starts the batch, and lets the blows fall spread over it, with pauses in between.
func (s *batchStory) send(ctx context.Context, book *batchBook) error {
	if err := s.start(ctx, book.id); err != nil {
		return err
	}
	began := time.Now()
	blows := schedule(s.t.cfg.Seed, s.t.cfg.Kills, len(s.r.nodes))
	for i, b := range blows {
		if err := s.reach(ctx, book.id, int64(book.rows)*int64(i)/int64(len(blows)+1)); err != nil {
			return err
		}
		if (i+1)%(len(blows)/(pauses+1)+1) == 0 {
			if err := s.pause(ctx, book); err != nil {
				return err
			}
		}
		if err := s.kill(ctx, b, blows[i+1:]); err != nil {
			return err
		}
		if (i+1)%sayEvery == 0 {
			s.t.say("%d of %d kills", i+1, len(blows))
		}
	}
	if err := s.reach(ctx, book.id, int64(book.rows)); err != nil {
		return err
	}
	b, err := s.finished(ctx, book.id, "finished")
	if err != nil {
		return err
	}
	took := time.Since(began)
	s.t.say("the batch has %s after %.1f s", b.State, took.Seconds())
	s.t.figure("sent_per_s", float64(int(float64(book.rows)/took.Seconds())))
	return nil
}

func (s *batchStory) start(ctx context.Context, id string) error {
	return s.try(ctx, func(api *client.Client) error {
		_, err := api.StartBatch(ctx, id, client.BatchStart{})
		if p, ok := errors.AsType[*client.Problem](err); ok && p.Code == "batch_state" {
			return nil // an answer was lost: it is started
		}
		return err
	})
}

// reach waits until so many rows are fed.
func (s *batchStory) reach(ctx context.Context, id string, fed int64) error {
	for {
		b, err := s.batch(ctx, id)
		if err != nil || b.Fed >= fed || b.EndedAt != nil {
			return err
		}
		if err := pause(ctx, 2*lookEvery); err != nil {
			return err
		}
	}
}

// finished waits until nothing of a batch waits any more.
func (s *batchStory) finished(ctx context.Context, id, state string) (client.Batch, error) {
	deadline := time.Now().Add(settleWithin)
	for {
		b, err := s.batch(ctx, id)
		if err != nil {
			return b, err
		}
		if b.EndedAt != nil {
			s.t.want(b.State == state, "the batch ended as %s, not as %s", b.State, state)
			return b, nil
		}
		if time.Now().After(deadline) {
			return b, fmt.Errorf("the batch is still %s after %v: %v", b.State, settleWithin, b.Counts)
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return b, err
		}
	}
}

// pause pauses the batch, kills a gateway meanwhile, and resumes it. From a second after
// the pause on no message may leave for the first time.
func (s *batchStory) pause(ctx context.Context, book *batchBook) error {
	began := time.Now()
	if err := s.try(ctx, func(api *client.Client) error { _, err := api.PauseBatch(ctx, book.id); return err }); err != nil {
		return err
	}
	s.t.figure("pauses", s.t.result.Figures["pauses"]+1)
	s.t.figure("pause_ms_max", max(s.t.result.Figures["pause_ms_max"], ms(time.Since(began))))
	if err := s.still(ctx, book, "pause"); err != nil {
		return err
	}
	return s.try(ctx, func(api *client.Client) error { _, err := api.ResumeBatch(ctx, book.id); return err })
}

// still watches that nothing new of a batch leaves, over the death of a gateway. What a
// dead gateway left in doubt is not new: it may have left before, and must settle in time.
func (s *batchStory) still(ctx context.Context, book *batchBook, after string) error {
	if err := pause(ctx, stillAfter); err != nil {
		return err
	}
	var doubtful map[int]bool
	err := s.try(ctx, func(api *client.Client) (err error) {
		doubtful, err = book.waiting(ctx, api)
		return err
	})
	if err != nil {
		return err
	}
	if err := book.read(ctx); err != nil {
		return err
	}
	before := slices.Clone(book.calls)
	if err := s.kill(ctx, blow{node: s.dice.IntN(len(s.r.nodes)), gap: 10 * time.Millisecond}, nil); err != nil {
		return err
	}
	if err := pause(ctx, stillFor); err != nil {
		return err
	}
	if err := book.read(ctx); err != nil {
		return err
	}
	first := 0
	for row := range before {
		if before[row] == 0 && book.calls[row] > 0 && !doubtful[row] {
			first++
		}
	}
	s.t.want(first == 0, "%d messages left for the first time more than %v after the %s", first, stillAfter, after)
	s.t.want(len(doubtful) <= slots*len(s.r.nodes), "%d messages of a batch at rest still wait to be sent", len(doubtful))
	return nil
}

// cancel sends a part of a second batch, and cancels it.
func (s *batchStory) cancel(ctx context.Context, book *batchBook) error {
	if err := s.upload(ctx, book); err != nil {
		return err
	}
	if err := s.start(ctx, book.id); err != nil {
		return err
	}
	if err := s.reach(ctx, book.id, int64(book.rows)/4); err != nil {
		return err
	}
	began := time.Now()
	if err := s.try(ctx, func(api *client.Client) error { _, err := api.CancelBatch(ctx, book.id); return err }); err != nil {
		return err
	}
	s.t.figure("cancel_ms", ms(time.Since(began)))
	if err := s.still(ctx, book, "cancel"); err != nil {
		return err
	}
	_, err := s.finished(ctx, book.id, "cancelled")
	return err
}

// judge compares what the gateway says of each row with what the platform saw.
func (s *batchStory) judge(ctx context.Context, books ...*batchBook) error {
	for _, book := range books {
		if err := book.read(ctx); err != nil {
			return err
		}
		var found []string
		err := s.try(ctx, func(api *client.Client) (err error) {
			found, err = book.compare(ctx, api)
			return err
		})
		if err != nil {
			return err
		}
		for _, f := range found {
			s.t.wrong("%s", f)
		}
		for _, name := range []string{"lost", "duplicated", "uncertain"} {
			s.t.figure(name, s.t.result.Figures[name]+float64(book.figures[name]))
		}
	}
	s.t.figure("cancelled_in_time", float64(books[len(books)-1].figures["unsent"]))
	return nil
}

// recipients is a CSV of n rows, made while it is read.
type recipients struct {
	next, last int
	rest       []byte
}

func (b *batchBook) file() io.Reader {
	return &recipients{next: b.base + 1, last: b.base + b.rows, rest: []byte("openid,order\n")}
}

func (f *recipients) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		if f.next > f.last {
			return 0, io.EOF
		}
		for len(f.rest) < len(p) && f.next <= f.last {
			f.rest = fmt.Appendf(f.rest, "%s,A%d\n", sandbox.OpenID("", f.next), f.next)
			f.next++
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}
