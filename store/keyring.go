package store

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"hongyan"
)

// MasterKeySize is the length of a master key in bytes.
const MasterKeySize = chacha20poly1305.KeySize

// Keyring seals the secrets a store keeps: AppSecrets, callback keys and
// access_tokens. It uses XChaCha20-Poly1305, whose 24-byte nonces may be drawn
// at random without ever colliding. A Keyring is safe for concurrent use.
type Keyring struct {
	aead cipher.AEAD
}

// NewKeyring returns a Keyring for a master key of MasterKeySize bytes.
func NewKeyring(master []byte) (*Keyring, error) {
	aead, err := chacha20poly1305.NewX(master)
	if err != nil {
		return nil, hongyan.Errorf(hongyan.Invalid, "master_key", "the master key has %d bytes, not %d", len(master), MasterKeySize)
	}
	return &Keyring{aead: aead}, nil
}

// Seal encrypts plaintext and binds it to aad, the place it is stored at
// ("table.column:row key"), so that a sealed value copied to another row does
// not open. The empty string is sealed as nil: "no secret" is no secret.
func (k *Keyring) Seal(plaintext, aad string) []byte {
	if plaintext == "" {
		return nil
	}
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(plaintext)+k.aead.Overhead())
	rand.Read(nonce) // never fails, see crypto/rand
	return k.aead.Seal(nonce, nonce, []byte(plaintext), []byte(aad))
}

// errSealed is all that is said about a value that does not open.
var errSealed = errors.New("the sealed value does not open: another master key, another place, or damage")

// Open returns what Seal was given, "" for an empty sealed value. It fails
// when the key, the aad or the value is not the one that was sealed.
func (k *Keyring) Open(sealed []byte, aad string) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	if len(sealed) < k.aead.NonceSize() {
		return "", fmt.Errorf("open %s: %w", aad, errSealed)
	}
	nonce, box := sealed[:k.aead.NonceSize()], sealed[k.aead.NonceSize():]
	plain, err := k.aead.Open(nil, nonce, box, []byte(aad))
	if err != nil {
		return "", fmt.Errorf("open %s: %w", aad, errSealed)
	}
	return string(plain), nil
}

// ParseMasterKey reads a master key written as 64 hexadecimal digits or as
// base64 (44 characters). White space around it is ignored. The error never
// shows the text.
func ParseMasterKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	var key []byte
	var err error
	switch len(text) {
	case hex.EncodedLen(MasterKeySize):
		key, err = hex.DecodeString(text)
	case base64.StdEncoding.EncodedLen(MasterKeySize):
		key, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(key) != MasterKeySize {
		return nil, &hongyan.Error{
			Kind: hongyan.Invalid, Code: "master_key",
			Message: fmt.Sprintf("the master key (%d characters) is neither 64 hexadecimal digits nor 44 characters of base64", len(text)),
			Hint:    "make one with: openssl rand -hex 32",
		}
	}
	return key, nil
}

// HashKey returns the SHA-256 of an API key, the form in which it is stored.
// API keys are random and long, so a slow hash would add nothing.
func HashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}
