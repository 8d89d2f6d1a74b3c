package sandbox

// fatesSearched bounds how far back Fates looks.
const fatesSearched = 5000

// Fates returns what became of the messages with these msgids: for each that is
// among the newest calls of the ledger, the Fate of its entry.
func (s *Sandbox) Fates(msgids ...string) map[string]string {
	wanted := map[string]bool{}
	for _, id := range msgids {
		wanted[id] = true
	}
	out := map[string]string{}
	defer s.unlock()
	rows := &s.lock().ledger.rows
	for i := rows.len() - 1; i >= max(0, rows.len()-fatesSearched) && len(out) < len(wanted); i-- {
		if row := *rows.at(i); row.MsgID != "" && wanted[row.MsgID] && row.DuplicateOf == "" {
			out[row.MsgID] = row.Fate
		}
	}
	return out
}
