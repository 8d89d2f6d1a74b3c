package sandbox

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// dice makes every random thing of the sandbox from one seed, so that a failure
// can be replayed. It is not safe for concurrent use. Nothing it makes is a
// secret worth guessing, which is why a seeded generator may serve.
type dice struct {
	rand       *rand.Rand
	source     *rand.PCG // of rand, for its state
	msgID      int64
	smallMsgID int64
}

// firstMsgID lies inside the range seen on the wire, 1.8e18 to 3.7e18 (spec §1),
// and below the range that the gateway keeps for numbers of its own.
const firstMsgID = 3_000_000_000_000_000_000

// firstSmallMsgID and smallMsgIDs are the nine-digit numbers to begin at: like the
// large ones, they should not come back with another seed.
const firstSmallMsgID, smallMsgIDs = 100_000_000, 800_000_000

func newDice(seed int64) *dice {
	source := rand.NewPCG(uint64(seed), 0x686f6e6779616e) // "hongyan"
	r := rand.New(source)
	first := int64(r.Uint64N(1e17))
	return &dice{rand: r, source: source, msgID: firstMsgID + first, smallMsgID: firstSmallMsgID + first%smallMsgIDs}
}

// nextMsgID is larger than every one before; the steps vary as on the platform.
func (d *dice) nextMsgID() int64 {
	d.msgID += 1 + int64(d.rand.Uint64N(1e6))
	return d.msgID
}

// nextSmallMsgID is one of the nine-digit numbers of 2014 (spec §1).
func (d *dice) nextSmallMsgID() int64 {
	d.smallMsgID += 1 + int64(d.rand.Uint64N(100))
	return d.smallMsgID
}

func (d *dice) bytes(n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		v := d.rand.Uint64()
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return b[:n]
}

// defaultTokenLength is that of tokens in 2025 (spec §1).
const defaultTokenLength = 139

// accessToken looks like those of 2025: "92_" and base64url text (spec §1).
func (d *dice) accessToken(length int) string {
	text := "92_" + base64.RawURLEncoding.EncodeToString(d.bytes(length*3/4))
	return text[:length]
}

// templateID is 32 bytes in base64url: 43 characters (spec §1). None begins with a dash,
// as one in 64 would: on a command line that is a flag.
func (d *dice) templateID() string {
	b := d.bytes(32)
	if b[0]>>2 == 62 { // '-'
		b[0] &= 0x7F
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// formID is 32 hexadecimal digits (spec §1).
func (d *dice) formID() string { return hex.EncodeToString(d.bytes(16)) }

// prepayID starts with "wx" and the payment's time, 36 characters in all (spec §1).
func (d *dice) prepayID(now time.Time) string {
	return "wx" + now.In(beijing).Format("20060102150405") + hex.EncodeToString(d.bytes(10))
}

// appendRID appends a request id: the Unix second and two random groups, each
// of eight hexadecimal digits (spec §1).
func (d *dice) appendRID(b []byte, now time.Time) []byte {
	b = appendHex8(b, uint32(now.Unix()))
	v := d.rand.Uint64()
	b = appendHex8(append(b, '-'), uint32(v>>32))
	return appendHex8(append(b, '-'), uint32(v))
}

func appendHex8(b []byte, v uint32) []byte {
	const digits = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}

// hint is the older suffix's content: 14 letters and digits (spec §1).
func (d *dice) hint() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 14)
	for i := range b {
		b[i] = letters[d.rand.IntN(len(letters))]
	}
	return string(b)
}

func (d *dice) block() (b [16]byte) {
	copy(b[:], d.bytes(16))
	return b
}
