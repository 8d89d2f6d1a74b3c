package store

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"hongyan"
)

func newTestKeyring(t *testing.T, fill byte) *Keyring {
	t.Helper()
	k, err := NewKeyring(bytes.Repeat([]byte{fill}, MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyringOpensWhatItSealed(t *testing.T) {
	k := newTestKeyring(t, 1)
	for _, plain := range []string{"", "secret", "密钥密钥", strings.Repeat("x", 10_000)} {
		sealed := k.Seal(plain, "accounts.secret:wx1")
		if plain != "" && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("sealed %.10q shows its text", plain)
		}
		got, err := k.Open(sealed, "accounts.secret:wx1")
		if err != nil || got != plain {
			t.Errorf("got %.10q, %v, want %.10q", got, err, plain)
		}
	}
	if bytes.Equal(k.Seal("a", "x"), k.Seal("a", "x")) {
		t.Error("sealing twice gives the same bytes: the nonce is not random")
	}
}

func TestKeyringRefuses(t *testing.T) {
	k := newTestKeyring(t, 1)
	sealed := k.Seal("secret", "here")
	bent := bytes.Clone(sealed)
	bent[len(bent)-1] ^= 1
	for name, c := range map[string]struct {
		keys   *Keyring
		sealed []byte
		aad    string
	}{
		"another place":  {k, sealed, "there"},
		"another key":    {newTestKeyring(t, 2), sealed, "here"},
		"changed bytes":  {k, bent, "here"},
		"cut short":      {k, sealed[:len(sealed)-1], "here"},
		"only the nonce": {k, sealed[:24], "here"},
		"a few bytes":    {k, sealed[:5], "here"},
	} {
		got, err := c.keys.Open(c.sealed, c.aad)
		if err == nil || got != "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %q, %v, want a refusal", name, got, err)
		}
	}
}

func TestNewKeyringWantsTheRightSize(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := NewKeyring(make([]byte, n)); !hongyan.IsKind(err, hongyan.Invalid) {
			t.Errorf("%d bytes: got %v, want an invalid error", n, err)
		}
	}
}

func TestParseMasterKey(t *testing.T) {
	want := bytes.Repeat([]byte{0xfb, 0xef}, MasterKeySize/2)
	for _, text := range []string{hex.EncodeToString(want), strings.ToUpper(hex.EncodeToString(want)), base64.StdEncoding.EncodeToString(want), " " + hex.EncodeToString(want) + "\n"} {
		got, err := ParseMasterKey(text)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: got %x, %v, want %x", text, got, err, want)
		}
	}
	for _, text := range []string{"", "short", strings.Repeat("z", 64), strings.Repeat("!", 44), strings.Repeat("a", 63), base64.StdEncoding.EncodeToString(want[:31])} {
		_, err := ParseMasterKey(text)
		if !hongyan.IsKind(err, hongyan.Invalid) {
			t.Errorf("%q: got %v, want an invalid error", text, err)
		}
		if len(text) > 10 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestHashKey(t *testing.T) {
	// SHA-256 of "abc", FIPS 180-2 appendix B.1.
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := hex.EncodeToString(HashKey("abc")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
