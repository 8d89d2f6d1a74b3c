package wechat

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with an encrypted push. Decrypt wraps one of the two; neither text ever
// contains key material or plaintext.
var (
	// ErrCiphertext: not base64, a wrong length, or not encrypted with this key.
	ErrCiphertext = errors.New("wechat: cannot decrypt")
	// ErrForeignAppID: decrypted well, but addressed to another account.
	ErrForeignAppID = errors.New("wechat: encrypted for another appid")
)

const (
	aesKeyBytes  = 32 // AES-256
	aesKeyChars  = 43 // length of an EncodingAESKey: 32 bytes in base64 without its "="
	padBlock     = 32 // bytes; WeChat pads to 32 although the AES block is 16
	randomBytes  = 16 // random prefix of every plaintext
	lengthBytes  = 4  // big-endian length of the message after it
	headerBytes  = randomBytes + lengthBytes
	redactedText = "[redacted]"
)

// AESKey is the message key of an account, made by ParseAESKey. The zero value is no key:
// Encrypt and Decrypt refuse it. Printing one in any way shows "[redacted]".
//
// It holds a pointer because fmt prints the bytes of an array in an unexported field of somebody
// else's struct without asking the array's Format method.
type AESKey struct {
	bytes *[aesKeyBytes]byte
}

// ParseAESKey reads an EncodingAESKey: 43 characters from the console that stand for 32 bytes.
// The 43 characters carry two bits more than needed, and real keys have ones there, so they are
// ignored (https://github.com/binarywang/WxJava/issues/1454). Errors never quote the key.
func ParseAESKey(encodingAESKey string) (AESKey, error) {
	if len(encodingAESKey) != aesKeyChars {
		return AESKey{}, fmt.Errorf("wechat: EncodingAESKey has %d characters, want %d", len(encodingAESKey), aesKeyChars)
	}
	// The decoder is the lenient one on purpose; it also skips line breaks, hence the check of
	// the decoded length.
	raw, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(raw) != aesKeyBytes {
		return AESKey{}, errors.New("wechat: EncodingAESKey has characters other than letters and digits")
	}
	return AESKey{bytes: (*[aesKeyBytes]byte)(raw)}, nil
}

// Format writes "[redacted]" whatever the verb, so that %v, %+v, %#v, %x or %d cannot leak the key.
func (AESKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedText)) }

// MarshalText writes "[redacted]", for encoders and structured logs.
func (AESKey) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

// Encrypt seals msg for appID and returns the text of an Encrypt element: standard base64 of
// AES-256-CBC over 16 random bytes, the length of msg, msg and appID (spec §5.4). The only error
// is a zero key.
func Encrypt(key AESKey, appID string, msg []byte) (string, error) {
	if key.bytes == nil {
		return "", errors.New("wechat: encrypt: no AES key")
	}
	var random [randomBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("wechat: encrypt: %w", err)
	}
	return EncryptWith(random, key, appID, msg), nil
}

// EncryptWith is Encrypt with chosen random bytes, for reproducible tests and simulations. Real
// traffic needs Encrypt: the IV is fixed by the key, so equal random bytes show equal messages.
// A zero key panics.
func EncryptWith(random [16]byte, key AESKey, appID string, msg []byte) string {
	plain := make([]byte, 0, headerBytes+len(msg)+len(appID)+padBlock)
	plain = append(plain, random[:]...)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(msg)))
	plain = append(plain, msg...)
	plain = append(plain, appID...)
	pad := padBlock - len(plain)%padBlock
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(key.block(), key.iv()).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// Decrypt opens the text of an Encrypt element and returns the message inside. The error wraps
// ErrCiphertext, or ErrForeignAppID when the message is sealed for an account other than appID.
// Check msg_signature first: without it the sender may be anybody.
func Decrypt(key AESKey, appID, encrypted string) ([]byte, error) {
	if key.bytes == nil {
		return nil, fmt.Errorf("%w: no AES key", ErrCiphertext)
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encrypted))
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrCiphertext)
	}
	if len(plain) == 0 || len(plain)%padBlock != 0 {
		return nil, fmt.Errorf("%w: %d bytes is not a multiple of %d", ErrCiphertext, len(plain), padBlock)
	}
	cipher.NewCBCDecrypter(key.block(), key.iv()).CryptBlocks(plain, plain)
	plain, ok := unpad(plain)
	if !ok {
		return nil, fmt.Errorf("%w: wrong key or damaged text", ErrCiphertext)
	}
	return splitPlain(plain, appID)
}

// splitPlain takes random ‖ length ‖ msg ‖ appid apart. The length comes from outside and is
// compared before it is used.
func splitPlain(plain []byte, appID string) ([]byte, error) {
	if len(plain) < headerBytes {
		return nil, fmt.Errorf("%w: wrong key or damaged text", ErrCiphertext)
	}
	size := uint64(binary.BigEndian.Uint32(plain[randomBytes:headerBytes]))
	rest := plain[headerBytes:]
	if size > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: wrong key or damaged text", ErrCiphertext)
	}
	if string(rest[size:]) != appID {
		return nil, ErrForeignAppID
	}
	return rest[:size:size], nil
}

// unpad removes 1 to 32 bytes that each hold their own number. Go's and most libraries' PKCS#7
// for AES stops at 16 and would reject half of the real messages.
func unpad(plain []byte) ([]byte, bool) {
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > padBlock {
		return nil, false
	}
	body := plain[:len(plain)-pad]
	for _, b := range plain[len(body):] {
		if int(b) != pad {
			return nil, false
		}
	}
	return body, true
}

func (k AESKey) block() cipher.Block {
	block, err := aes.NewCipher(k.bytes[:])
	if err != nil {
		panic(err) // only for a key size that a [32]byte cannot have
	}
	return block
}

// iv is the first 16 bytes of the key, the same for every message.
func (k AESKey) iv() []byte { return k.bytes[:aes.BlockSize] }
