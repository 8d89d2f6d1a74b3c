// Command asynq measures a job queue on Redis, asynq, where `hongyan bench` measures
// the gateway: the same bodies, a constant-answer upstream in a process of its own,
// and a bare loop beside it in the same run. It is a module of its own, so that the
// gateway depends on neither.
//
// It starts a Redis of its own (appendonly, fsync as --fsync says) in a temporary
// folder on a free port, and stops it. Run it with
//
//	go run . [--messages 50000] [--in-flight 64] [--fsync always|everysec]
//
// What is compared: a task is enqueued per message and a worker POSTs its body. What
// is not: asynq neither validates, nor paces, nor knows what became of a message, and
// with everysec it may lose a second of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
)

// settings are the flags.
type settings struct {
	messages, inFlight int
	fsync              string
}

func main() {
	var s settings
	role := flag.String("role", "", "for its own children")
	flag.IntVar(&s.messages, "messages", 50_000, "messages per scenario")
	flag.IntVar(&s.inFlight, "in-flight", 64, "calls under way at once")
	flag.StringVar(&s.fsync, "fsync", "always", "Redis appendfsync: always (as durable as the gateway) or everysec")
	flag.Parse()
	run := s.run
	if *role == "upstream" {
		run = serveUpstream
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "asynq:", err)
		os.Exit(1)
	}
}

func (s settings) run(ctx context.Context) error {
	url, stopUpstream, err := startUpstream()
	if err != nil {
		return err
	}
	defer stopUpstream()
	redis, err := startRedis(s.fsync)
	if err != nil {
		return err
	}
	defer redis.stop()

	p := poster{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.inFlight}}, url: url}
	bare, err := s.bareLoop(ctx, p)
	if err != nil {
		return err
	}
	fmt.Printf("asynq on Redis (appendfsync %s), %d messages, %d in flight\n\n", s.fsync, s.messages, s.inFlight)
	fmt.Printf("%-10s %12s %8s %16s\n", "", "messages/s", "ratio", "CPU s per 1,000")
	fmt.Printf("%-10s %12.0f %8s %16.3f\n", "bare loop", bare.rate, "", bare.cpu)
	for _, sc := range []struct {
		name string
		do   func(context.Context, poster, redisServer) (figures, error)
	}{{"drain", s.drain}, {"single", s.single}} {
		got, err := sc.do(ctx, p, redis)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Printf("%-10s %12.0f %8.2f %16.3f\n", sc.name, got.rate, got.rate/bare.rate, got.cpu)
	}
	fmt.Println("\nCPU of the queue is its process and Redis.")
	return nil
}

// figures of one scenario: messages a second, CPU seconds per 1,000.
type figures struct{ rate, cpu float64 }

func (s settings) measure(redis redisServer, do func() error) (figures, error) {
	cpu, start := ownCPU()+redis.cpu(), time.Now()
	err := do()
	took := time.Since(start).Seconds()
	return figures{float64(s.messages) / took, (ownCPU() + redis.cpu() - cpu) / float64(s.messages) * 1000}, err
}

// bareLoop POSTs and stores nothing.
func (s settings) bareLoop(ctx context.Context, p poster) (figures, error) {
	return s.measure(redisServer{}, func() error {
		return s.each(func(i int) error { return p.post(ctx, body(i)) })
	})
}

// each calls do for every message, in-flight at once.
func (s settings) each(do func(i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, s.inFlight)
	for range s.inFlight {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < s.messages; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// drain enqueues everything, then times the workers.
func (s settings) drain(ctx context.Context, p poster, redis redisServer) (figures, error) {
	if err := s.enqueueAll(redis); err != nil {
		return figures{}, err
	}
	return s.measure(redis, func() error { return s.work(ctx, p, redis, nil) })
}

// single enqueues one message at a time from as many callers as calls are under way,
// while the workers send.
func (s settings) single(ctx context.Context, p poster, redis redisServer) (figures, error) {
	return s.measure(redis, func() error {
		return s.work(ctx, p, redis, func() error { return s.enqueueAll(redis) })
	})
}

func (s settings) enqueueAll(redis redisServer) error {
	c := asynq.NewClient(redis.opt)
	defer c.Close()
	return s.each(func(i int) error {
		_, err := c.Enqueue(asynq.NewTask("send", body(i)), asynq.MaxRetry(5))
		return err
	})
}

// work runs workers until every message was sent.
func (s settings) work(ctx context.Context, p poster, redis redisServer, meanwhile func() error) error {
	srv := asynq.NewServer(redis.opt, asynq.Config{Concurrency: s.inFlight, LogLevel: asynq.FatalLevel})
	var sent atomic.Int64
	all := make(chan struct{})
	err := srv.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		if err := p.post(ctx, t.Payload()); err != nil {
			return err
		}
		if sent.Add(1) == int64(s.messages) {
			close(all)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	defer srv.Shutdown()
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			return err
		}
	}
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Minute):
		return fmt.Errorf("%d of %d were sent in ten minutes", sent.Load(), s.messages)
	}
}

// poster makes the call.
type poster struct {
	client *http.Client
	url    string
}

func (p poster) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// body is a message as the gateway sends it.
func body(i int) []byte {
	return fmt.Appendf(nil, `{"touser":"oBENCH%022d","template_id":"BENCHtemplate_0123456789012345678901234567-","url":"https://example.com/orders?from=wechat",`+
		`"client_msg_id":"msg_%032x","data":{"character_string1":{"value":"%d"},"thing2":{"value":"巧克力"},"amount3":{"value":"￥39.80"},"time4":{"value":"2026年11月27日 12:00"}}}`, i, i, i)
}

func ownCPU() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// redisServer is a Redis of ours; the zero value is none.
type redisServer struct {
	opt    asynq.RedisClientOpt
	cmd    *exec.Cmd
	folder string
}

func startRedis(fsync string) (redisServer, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return redisServer{}, fmt.Errorf("%w; on Debian: apt-get install redis-server", err)
	}
	folder, err := os.MkdirTemp("", "hongyan-asynq-")
	if err != nil {
		return redisServer{}, err
	}
	socket := filepath.Join(folder, "redis.sock")
	r := redisServer{opt: asynq.RedisClientOpt{Network: "unix", Addr: socket}, folder: folder}
	r.cmd = exec.Command(binary, "--port", "0", "--unixsocket", socket, "--dir", folder, "--appendonly", "yes", "--appendfsync", fsync, "--save", "")
	if err := r.cmd.Start(); err != nil {
		return r, err
	}
	for range 100 {
		if c, err := net.Dial("unix", socket); err == nil {
			return r, c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.stop()
	return r, fmt.Errorf("redis-server did not start")
}

func (r redisServer) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	_ = os.RemoveAll(r.folder)
}

// cpu is what Redis has used so far, from /proc; 0 where there is none.
func (r redisServer) cpu() float64 {
	if r.cmd == nil {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const user, system, ticksPerSecond = 11, 12, 100
	var u, s float64
	if len(fields) > system {
		_, _ = fmt.Sscan(fields[user], &u)
		_, _ = fmt.Sscan(fields[system], &s)
	}
	return (u + s) / ticksPerSecond
}

// startUpstream starts the constant answer in a process of its own.
func startUpstream() (url string, stop func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	c := exec.Command(exe, "-role", "upstream")
	out, err := c.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := c.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = c.Process.Kill(); _ = c.Wait() }
	if _, err := fmt.Fscanln(out, &url); err != nil {
		stop()
		return "", nil, fmt.Errorf("the upstream did not start: %w", err)
	}
	return url, stop, nil
}

// serveUpstream answers every call with errcode 0 until it is killed.
func serveUpstream(context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/cgi-bin/message/template/send?access_token=BENCH\n", l.Addr())
	var sends atomic.Int64
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","msgid":%d}`, 2_000_000_000_000_000_000+sends.Add(1))
	}))
}
