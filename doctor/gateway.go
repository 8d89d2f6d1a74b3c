package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hongyan"
)

// How far clocks may be apart. WeChat's Date header has whole seconds, and the pushes'
// timestamps and the tokens' lives leave room for minutes, not for hours.
const (
	clockWarning = 30 * time.Second
	clockProblem = 5 * time.Minute
)

// clock compares this machine's clock with the store's, by which all rules go. With
// SQLite they are the same.
func (d *Doctor) clock(_ context.Context, r *report) error {
	before := time.Now()
	now := d.cfg.Store.Now()
	off := outside(now, before, time.Now())
	switch {
	case off.Abs() >= clockWarning:
		r.add(Warning, "clock_off", say("this machine's clock and the database's are %s apart; leases and due times go by the database's, logs by this one",
			"本机时钟与数据库时钟相差 %s；租约与到期时间以数据库为准，日志以本机为准", round(off.Abs())), setTheClock)
	default:
		r.ok(say("this machine's clock and the database's agree", "本机时钟与数据库时钟一致"))
	}
	return nil
}

var setTheClock = say("set the clock by NTP: timedatectl set-ntp true, or chronyc makestep", "用 NTP 校时：timedatectl set-ntp true，或 chronyc makestep")

// outside returns how far t is from the span between from and to: 0 inside it,
// below 0 when t is earlier.
func outside(t, from, to time.Time) time.Duration {
	switch {
	case t.Before(from):
		return t.Sub(from)
	case t.After(to):
		return t.Sub(to)
	}
	return 0
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// slowWrite is how long one durable write may take before sending suffers.
const slowWrite = time.Second

// logTooLong is a write-ahead log that was not folded into the database for long.
const logTooLong = 1 << 30

// database tries a real write.
func (d *Doctor) database(ctx context.Context, r *report) error {
	began := time.Now()
	if err := d.cfg.Store.Ready(ctx); err != nil {
		if e, ok := errors.AsType[*hongyan.Error](err); ok {
			r.add(Problem, "database_not_writable", say("nothing can be stored: %s", "无法写入：%s", e.Message), hintOf(e,
				"see docs/operations.md, Is it well?", "见 docs/operations.md“Is it well?”一节"))
			return nil
		}
		return err
	}
	took := time.Since(began)
	if took >= slowWrite {
		r.add(Warning, "database_slow", say("a write took %s", "一次写入耗时 %s", round(took)),
			say("look at the load of the disk, or of the database server and the network to it", "检查磁盘（或数据库服务器及其网络）的负载"))
		return nil
	}
	r.ok(say("takes records; a write took %s", "可写入，一次写入耗时 %s", took.Round(time.Millisecond/10)))
	return nil
}

// hintOf is an error's own hint, or else the given one.
func hintOf(e *hongyan.Error, en, zh string) Text {
	if e.Hint != "" {
		return Text{EN: e.Hint, ZH: e.Hint}
	}
	return Text{EN: en, ZH: zh}
}

// Free space below which somebody should act. A message takes about 2 kB with its
// indexes, so the second is what 100,000 need.
const (
	diskWarning = 2 << 30
	diskProblem = 200 << 20
)

func (d *Doctor) disk(_ context.Context, r *report) error {
	if d.cfg.Machine == nil {
		return nil
	}
	m, err := d.cfg.Machine()
	if err != nil {
		return err
	}
	if m.Bytes >= 0 && m.LogBytes >= logTooLong {
		r.add(Warning, "database_log_long", say("the database's write-ahead log %s-wal has %s", "数据库的预写日志 %s-wal 已有 %s", m.Database, size(m.LogBytes)),
			say("another program holds the database open, a backup or a shell: end it, and the log is folded in", "有其他程序（备份或命令行）一直打开着数据库：结束它，日志就会合并"))
	}
	remedy := say("give the disk space, or shorten retention in the configuration; sending stops before it could not be recorded", "为磁盘腾出空间，或在配置中缩短 retention；在无法记录之前会停止发送")
	switch {
	case m.FreeBytes < 0:
		r.add(Note, "disk_unknown", say("free space of %s cannot be read on this system", "此系统无法读取 %s 的剩余空间", m.Folder), Text{})
	case m.FreeBytes < diskProblem:
		r.add(Problem, "disk_full", say("%[2]s free on the disk of %[1]s", "%[1]s 所在磁盘仅剩 %[2]s", m.Folder, size(m.FreeBytes)), remedy)
	case m.FreeBytes < diskWarning:
		r.add(Warning, "disk_low", say("%[2]s free on the disk of %[1]s", "%[1]s 所在磁盘剩余 %[2]s", m.Folder, size(m.FreeBytes)), remedy)
	case m.Bytes < 0:
		r.ok(say("%[2]s free on the disk of %[1]s; the database is at %[3]s", "%[1]s 所在磁盘剩余 %[2]s；数据库在 %[3]s", m.Folder, size(m.FreeBytes), m.Database))
	default:
		r.ok(say("%[2]s free on the disk of %[1]s; the database has %[3]s", "%[1]s 所在磁盘剩余 %[2]s；数据库占 %[3]s", m.Folder, size(m.FreeBytes), size(m.Bytes)))
	}
	return nil
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// keys says what the secrets in the database are encrypted with.
func (d *Doctor) keys(_ context.Context, r *report) error {
	if d.cfg.Machine == nil {
		return nil
	}
	m, err := d.cfg.Machine()
	if err != nil {
		return err
	}
	if len(m.OpenFiles) > 0 {
		files := strings.Join(m.OpenFiles, " ")
		r.add(Problem, "secret_file_readable", say("other users of this machine can read %s", "本机其他用户可以读取 %s", files), say("chmod 600 %s", "执行 chmod 600 %s", files))
	}
	switch m.KeySource {
	case KeyOfEnvironment:
		r.ok(say("secrets are encrypted with the key in HONGYAN_MASTER_KEY", "敏感信息以 HONGYAN_MASTER_KEY 中的密钥加密"))
	case KeyOfNamedFile:
		r.ok(say("secrets are encrypted with the key in %s (HONGYAN_MASTER_KEY_FILE)", "敏感信息以 %s 中的密钥加密（HONGYAN_MASTER_KEY_FILE）", m.KeyFile))
	default:
		r.add(Note, "key_beside_database", say("secrets are encrypted with the key in %s, in the folder of the database", "敏感信息以 %s 中的密钥加密，它与数据库在同一文件夹", m.KeyFile),
			say("back it up apart from the database: who has both can read the AppSecrets, and without it nobody can", "请与数据库分开备份：同时得到两者即可读出 AppSecret，丢失它则无人能读"))
	}
	return nil
}

// maxCounted bounds what is counted by listing.
const maxCounted = 1000

// events looks at the pushes that wait to be processed, and at receipts nobody owns.
func (d *Doctor) events(ctx context.Context, r *report) error {
	pending, err := d.cfg.Store.PendingEvents(ctx, maxCounted)
	if err != nil {
		return err
	}
	if n := len(pending); n == maxCounted {
		r.add(Warning, "events_pending", say("%d pushes or more wait to be processed, the oldest since %s", "至少有 %d 条推送待处理，最早的来自 %s", n, stamp(pending[0].ReceivedAt)),
			say("see whether the processing part logs errors (part=callback); pushes are answered and stored meanwhile", "查看处理部分是否报错（part=callback）；期间推送仍会被应答并保存"))
		return nil
	}
	orphans, err := d.cfg.Store.Orphans(ctx, 0, maxCounted)
	if err != nil {
		return err
	}
	if n := len(orphans); n > 0 {
		r.add(Note, "receipts_orphaned", say("%d receipts of the last 24 hours belong to no message of this gateway", "最近 24 小时有 %d 条送达回执不属于本网关的任何消息", n),
			say("ordinary when another program sends for the same account; see docs/operations.md", "若另有程序用同一账号发送，属正常现象；见 docs/operations.md"))
		return nil
	}
	r.ok(say("%d pushes wait to be processed, no receipt is without its message", "待处理推送 %d 条，没有无主的回执", len(pending)))
	return nil
}

// stamp writes a time for people, in UTC to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
