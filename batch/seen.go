package batch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"hongyan/store"
)

// hashSize is how many bytes tell recipients apart. Among five million two differ in
// all of them with a certainty of a million to one.
const hashSize = 8

// isBad is the bit of a kept hash that says that its row has a problem: whoever comes
// after a bad row with the same recipient is not given twice.
const isBad uint64 = 1

// hashOf returns what tells a recipient from others, without the bit isBad; never 0,
// which stands for a row without one.
func hashOf(openID string) uint64 {
	if openID == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(openID))
	return max(2, binary.LittleEndian.Uint64(sum[:])&^isBad)
}

// seen knows the recipients of a batch by their hashes: twelve to twenty bytes a row,
// whatever an openid's length. The zero value is empty.
type seen struct {
	pages [][]uint64 // the hashes of row 1, 2, …; what is there is never moved
	n     int64
	table []uint32 // row numbers, by open addressing; 0 = free
	used  int
}

// seenPage is how many hashes are in a page.
const seenPage = 1 << 15

// of returns the hash of a row that is there.
func (s *seen) of(row int64) uint64 { return s.at(row) &^ isBad }

func (s *seen) at(row int64) uint64 { return s.pages[(row-1)/seenPage][(row-1)%seenPage] }

// rows returns how many rows are known.
func (s *seen) rows() int64 { return s.n }

// first returns the good row that has a recipient, 0 when there is none.
func (s *seen) first(hash uint64) int64 {
	if len(s.table) == 0 || hash == 0 {
		return 0
	}
	return int64(s.table[s.find(hash)])
}

// add notes the recipient of the next row, with the bit isBad if it has a problem.
func (s *seen) add(hash uint64) {
	if s.n%seenPage == 0 {
		s.pages = append(s.pages, make([]uint64, 0, seenPage))
	}
	last := len(s.pages) - 1
	s.pages[last] = append(s.pages[last], hash)
	s.n++
	if hash == 0 || hash&isBad != 0 {
		return
	}
	if 3*(s.used+1) > 2*len(s.table) {
		s.grow()
	}
	if at := s.find(hash); s.table[at] == 0 {
		s.table[at] = uint32(s.n)
		s.used++
	}
}

// find returns the place of a hash, or the free one where it belongs.
func (s *seen) find(hash uint64) uint64 {
	mask := uint64(len(s.table) - 1)
	at := hash & mask
	for s.table[at] != 0 && s.at(int64(s.table[at])) != hash {
		at = (at + 1) & mask
	}
	return at
}

func (s *seen) grow() {
	old := s.table
	s.table = make([]uint32, max(1<<10, 2*len(old)))
	for _, row := range old {
		if row != 0 {
			s.table[s.find(s.at(int64(row)))] = row
		}
	}
}

// hashBytes is what a chunk keeps of its rows' hashes.
func hashBytes(hashes []uint64) []byte {
	b := make([]byte, 0, hashSize*len(hashes))
	for _, h := range hashes {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	return b
}

// hashPage is how many chunks' hashes are read at once: half a megabyte.
const hashPage = 128

// loadSeen reads the recipients of what is staged already.
func loadSeen(ctx context.Context, st store.Batches, batch int64) (*seen, error) {
	s := new(seen)
	for {
		page, err := st.ChunkHashes(ctx, batch, s.rows(), hashPage)
		if err != nil || len(page) == 0 {
			return s, err
		}
		for _, c := range page {
			if c.First != s.rows()+1 || len(c.Hashes) != hashSize*c.N {
				return nil, fmt.Errorf("batch %d: the rows after %d are not as they were stored", batch, s.rows())
			}
			for h := c.Hashes; len(h) > 0; h = h[hashSize:] {
				s.add(binary.LittleEndian.Uint64(h))
			}
		}
	}
}
