package sandbox

import (
	"strconv"
)

// LedgerEntry is one call received on a path of the platform's, whatever became
// of it. Tokens are never in it.
type LedgerEntry struct {
	Seq         int64  `json:"seq"` // 1, 2, 3 … since the last reset
	Time        Time   `json:"time"`
	AppID       string `json:"appid"` // "" when the token told nothing
	Path        string `json:"path"`
	ToUser      string `json:"touser"`
	TemplateID  string `json:"template_id"`
	ClientMsgID string `json:"client_msg_id"`
	FormID      string `json:"form_id"`
	// ErrCode is what was answered, or would have been where the answer was dropped.
	// Without an errcode it is the HTTP status (412, 502 …), or -1 for a connection
	// cut before anything was processed: 0 always means that the platform did it.
	ErrCode     int          `json:"errcode"`
	Answered    bool         `json:"answered"`     // the answer's bytes were written
	MsgID       string       `json:"msgid"`        // "" = no message; mini program messages have one that is not answered
	DuplicateOf string       `json:"duplicate_of"` // msgid of the first message with this client_msg_id
	Fate        string       `json:"fate"`         // pending, shown, user_block, system_failed, freq_limit, held, refused, none
	Pushes      []LedgerPush `json:"pushes"`       // every delivery of the event
}

// LedgerPush is one delivery of an event to the account's server.
type LedgerPush struct {
	At         Time  `json:"at"`
	HTTPStatus int   `json:"http_status"` // 0 = no answer
	MS         int64 `json:"ms"`          // until the answer, or until giving up
}

// LedgerFilter chooses entries; zero fields choose all.
type LedgerFilter struct {
	AppID, ToUser, Path, ClientMsgID string
	After                            int64 // only entries with a larger Seq
	Limit                            int   // 0 = no limit
}

func (f *LedgerFilter) matches(e *LedgerEntry) bool {
	return (f.AppID == "" || f.AppID == e.AppID) && (f.ToUser == "" || f.ToUser == e.ToUser) &&
		(f.Path == "" || f.Path == e.Path) && (f.ClientMsgID == "" || f.ClientMsgID == e.ClientMsgID)
}

// ledger keeps the last limit entries.
type ledger struct {
	rows  queue[*LedgerEntry]
	last  int64 // seq of the newest
	limit int
}

// record writes the call down, counts it, and ties the accepted message to its row.
func (p *platform) record(c *call, a answer, answered bool) *LedgerEntry {
	p.ledger.last++
	row := &LedgerEntry{
		Seq: p.ledger.last, Time: stamp(c.now), AppID: c.appID(), Path: c.path, ToUser: c.touser,
		ErrCode: a.code, Answered: answered, Fate: noFate, Pushes: []LedgerPush{},
		MsgID: idText(a.msgID), DuplicateOf: idText(a.duplicateOf),
	}
	p.ledger.rows.push(row)
	if c.send != nil {
		row.TemplateID = c.send.TemplateID.string()
		row.ClientMsgID = c.send.ClientMsgID.string()
		row.FormID = c.send.FormID.string()
	}
	if p.ledger.rows.len() > p.ledger.limit {
		p.ledger.rows.pop()
	}
	if a.accepted != nil {
		p.schedule(a.accepted, row, c.now)
	}
	if validOpenID(c.touser) {
		p.known.see(c.touser)
	}
	p.stats.count(c.path, a.code)
	p.witness(c, a, answered)
	return row
}

func idText(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// list returns copies of the chosen entries and the seq to go on after.
func (l *ledger) list(f LedgerFilter) (items []LedgerEntry, next int64) {
	first := l.last - int64(l.rows.len()) + 1
	items = []LedgerEntry{}
	for seq := max(first, f.After+1); seq <= l.last; seq++ {
		e := *l.rows.at(int(seq - first))
		if !f.matches(e) {
			continue
		}
		items = append(items, *e)
		if len(items) == f.Limit {
			return items, seq
		}
	}
	return items, max(f.After, l.last)
}

// Ledger returns what was received, in order.
func (s *Sandbox) Ledger(f LedgerFilter) []LedgerEntry {
	defer s.unlock()
	items, _ := s.lock().ledger.list(f)
	return items
}
