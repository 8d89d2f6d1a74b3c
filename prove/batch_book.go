package prove

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// batchBook is what the platform saw of a batch: for each row how often it was called
// and how often a message was taken. Row n's recipient is number base+n.
type batchBook struct {
	r          *rig
	id         string
	rows, base int
	after      int64 // what was read of the ledger
	calls      []uint8
	taken      []uint8
	figures    map[string]int
}

// read reads what is new in the platform's ledger.
func (b *batchBook) read(ctx context.Context) error {
	if b.calls == nil {
		b.calls, b.taken = make([]uint8, b.rows+1), make([]uint8, b.rows+1)
	}
	for {
		var page struct {
			Items []sandbox.LedgerEntry `json:"items"`
			Next  int64                 `json:"next_after"`
		}
		if err := b.r.wx.get(ctx, fmt.Sprintf("/ledger?after=%d&limit=%d&appid=%s", b.after, ledgerPage, plain), &page); err != nil {
			return fmt.Errorf("read the sandbox's ledger: %w", err)
		}
		for i := range page.Items {
			b.note(&page.Items[i])
		}
		if len(page.Items) == 0 || page.Next <= b.after {
			return nil
		}
		b.after = page.Next
	}
}

func (b *batchBook) note(e *sandbox.LedgerEntry) {
	digits, ok := strings.CutPrefix(e.ToUser, "oUser")
	n, err := strconv.Atoi(digits)
	row := n - b.base
	if !ok || err != nil || !sends(e.Path) || row < 1 || row > b.rows {
		return
	}
	if b.calls[row] < 255 {
		b.calls[row]++
	}
	if taken(e) && b.taken[row] < 255 {
		b.taken[row]++
	}
}

// waiting returns the rows whose messages wait to be sent, and are not held.
func (b *batchBook) waiting(ctx context.Context, api *client.Client) (map[int]bool, error) {
	rows := map[int]bool{}
	for m, err := range api.AllMessages(ctx, client.MessageFilter{Batch: b.id, States: []string{"queued", "sending"}, Limit: 1000}) {
		if err != nil {
			return nil, err
		}
		if m.BatchRow != nil {
			rows[int(*m.BatchRow)] = true
		}
	}
	return rows, nil
}

// mostTold is how many rows of one batch are told of when they are wrong.
const mostTold = 20

// compare reads the batch's results and returns what does not agree.
func (b *batchBook) compare(ctx context.Context, api *client.Client) ([]string, error) {
	b.figures = map[string]int{}
	in, out := io.Pipe()
	defer in.Close()
	go func() { out.CloseWithError(api.BatchFile(ctx, b.id, "results.csv", out)) }()
	lines := csv.NewReader(bufio.NewReader(in))
	lines.ReuseRecord = true
	head, err := lines.Read()
	if err != nil {
		return nil, err
	}
	state := slices.Index(head, "state")
	if state < 0 {
		return nil, fmt.Errorf("results have no column state: %q", head)
	}
	var found []string
	row := 0
	for ; ; row++ {
		line, err := lines.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if row >= b.rows || line[1] != sandbox.OpenID("", b.base+row+1) {
			found = append(found, fmt.Sprintf("row %d of the results is %q", row+1, line[:3]))
			break
		}
		if wrong := b.judge(row+1, line[state]); wrong != "" && len(found) < mostTold {
			found = append(found, wrong)
		}
	}
	if row != b.rows {
		found = append(found, fmt.Sprintf("the results have %d rows of %d", row, b.rows))
	}
	return found, nil
}

// judge compares a row's state with what the platform saw of it; "" = they agree.
func (b *batchBook) judge(row int, state string) string {
	calls, taken := b.calls[row], b.taken[row]
	if taken > 1 {
		b.figures["duplicated"]++
		return fmt.Sprintf("the user of row %d got %d messages", row, taken)
	}
	agree := false
	switch state {
	case "accepted", "delivered", "undelivered":
		agree = taken == 1
	case "cancelled", "not_sent":
		b.figures["unsent"]++
		agree = taken == 0 && (state != "not_sent" || calls == 0)
	case "uncertain":
		b.figures["uncertain"]++
		agree = true
	}
	if !agree {
		b.figures["lost"]++
		return fmt.Sprintf("row %d is %s, and the platform took %d messages for it in %d calls", row, state, taken, calls)
	}
	return ""
}

// memoryEvery is how often the gateways' memory is looked at.
const memoryEvery = 250 * time.Millisecond

// watchMemory looks at the gateways' memory until the function it returns is called,
// which tells the most that one took, in MB. Where there is no /proc it tells 0.
func (r *rig) watchMemory(ctx context.Context) (end func() float64) {
	ctx, cancel := context.WithCancel(ctx)
	var most float64
	var wg sync.WaitGroup
	wg.Go(func() {
		for pause(ctx, memoryEvery) == nil {
			for _, n := range r.nodes {
				if c := n.child(); c != nil {
					most = max(most, residentMB(c.cmd.Process.Pid))
				}
			}
		}
	})
	return func() float64 { cancel(); wg.Wait(); return most }
}

// residentMB is the memory of a process; 0 when it cannot be told.
func residentMB(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return number(kb) / 1024
		}
	}
	return 0
}
