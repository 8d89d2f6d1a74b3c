package wechat

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cryptoVector is one file of testdata/crypto.
type cryptoVector map[string]string

func readVectors(t testing.TB) map[string]cryptoVector {
	t.Helper()
	paths, err := filepath.Glob("testdata/crypto/*.txt")
	if err != nil || len(paths) != 3 {
		t.Fatalf("found %d vectors (%v), want 3", len(paths), err)
	}
	vectors := map[string]cryptoVector{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v := cryptoVector{}
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok && line[0] != '#' {
				v[name] = value
			}
		}
		vectors[filepath.Base(path)] = v
	}
	return vectors
}

func mustAESKey(t testing.TB, encoded string) AESKey {
	t.Helper()
	key, err := ParseAESKey(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const (
	specAESKey  = "wxSpecKey0123456789ABCDEFGHIJKLMNOPQRSTUVab"
	otherAESKey = "OtherKey0123456789abcdefghijklmnopqrstuvwxy"
	specAppID   = "wx0f1e2d3c4b5a6978"
)

func TestVectors(t *testing.T) {
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			key := mustAESKey(t, v["encoding_aes_key"])
			if got, want := hex.EncodeToString(key.bytes[:]), v["aes_key"]; got != want {
				t.Errorf("key = %s, want %s", got, want)
			}
			got := EncryptWith([16]byte([]byte(v["random"])), key, v["appid"], []byte(v["msg"]))
			if want := v["encrypt"]; got != want {
				t.Errorf("EncryptWith = %s, want %s", got, want)
			}
			plain, err := Decrypt(key, v["appid"], v["encrypt"])
			if err != nil || string(plain) != v["msg"] {
				t.Errorf("Decrypt = %q, %v, want %q", plain, err, v["msg"])
			}
			if got, want := Signature(v["token"], v["timestamp"], v["nonce"]), v["signature"]; got != want {
				t.Errorf("Signature = %s, want %s", got, want)
			}
			if v["msg_signature"] == "" {
				return
			}
			if !VerifyMsgSignature(v["token"], v["timestamp"], v["nonce"], v["encrypt"], v["msg_signature"]) {
				t.Errorf("VerifyMsgSignature refused %s", v["msg_signature"])
			}
		})
	}
}

// Every length of padding from 1 to 32 occurs.
func TestEncryptThenDecryptAnyLength(t *testing.T) {
	key := mustAESKey(t, specAESKey)
	for n := range 70 {
		msg := strings.Repeat("信", n) + strings.Repeat("x", n%3)
		sealed, err := Encrypt(key, specAppID, []byte(msg))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decrypt(key, specAppID, "\n"+sealed+"\n")
		if err != nil || string(got) != msg {
			t.Errorf("Decrypt of %d characters = %q, %v", n, got, err)
		}
	}
}

func TestEncryptTwiceDiffers(t *testing.T) {
	key := mustAESKey(t, specAESKey)
	first, err1 := Encrypt(key, specAppID, []byte("same"))
	second, err2 := Encrypt(key, specAppID, []byte("same"))
	if err1 != nil || err2 != nil || first == second {
		t.Errorf("Encrypt = %s and %s (%v, %v), want two texts", first, second, err1, err2)
	}
}

func TestEncryptNeedsAKey(t *testing.T) {
	if got, err := Encrypt(AESKey{}, specAppID, []byte("hello")); err == nil {
		t.Errorf("Encrypt = %q, want an error", got)
	}
}

func TestParseAESKeyIgnoresTheLastTwoBits(t *testing.T) {
	// "a", "b" and "Y" at the end of the key differ in its last two bits only.
	zero := mustAESKey(t, specAESKey[:42]+"Y")
	for _, last := range []string{"a", "b", "Z"} {
		if got := mustAESKey(t, specAESKey[:42]+last); *got.bytes != *zero.bytes {
			t.Errorf("key ending in %q differs from the one with zero bits", last)
		}
	}
}

func TestParseAESKeyRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":         "",
		"one short":       specAESKey[:42],
		"one long":        specAESKey + "A",
		"with padding":    specAESKey[:42] + "=",
		"a space inside":  specAESKey[:20] + " " + specAESKey[21:],
		"a newline":       specAESKey[:20] + "\n" + specAESKey[21:],
		"url alphabet":    specAESKey[:20] + "_" + specAESKey[21:],
		"Chinese letters": strings.Repeat("密", 14) + "x",
	}
	for name, encoded := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAESKey(encoded)
			if err == nil {
				t.Fatal("ParseAESKey accepted it")
			}
			if len(encoded) > 3 && strings.Contains(err.Error(), encoded[:4]) {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}

func TestDecryptRefuses(t *testing.T) {
	key := mustAESKey(t, specAESKey)
	sealed := EncryptWith([16]byte{}, key, specAppID, []byte("hello"))
	tests := []struct {
		name   string
		key    AESKey
		appID  string
		sealed string
		want   error
	}{
		{"another appid", key, "wx0000000000000000", sealed, ErrForeignAppID},
		{"an appid with more to it", key, specAppID + "0", sealed, ErrForeignAppID},
		{"another key", mustAESKey(t, otherAESKey), specAppID, sealed, ErrCiphertext},
		{"no key", AESKey{}, specAppID, sealed, ErrCiphertext},
		{"nothing", key, specAppID, "", ErrCiphertext},
		{"not base64", key, specAppID, "!" + sealed[1:], ErrCiphertext},
		{"cut short", key, specAppID, sealed[:len(sealed)-24], ErrCiphertext},
		{"one AES block", key, specAppID, "AAAAAAAAAAAAAAAAAAAAAA==", ErrCiphertext},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decrypt(tt.key, tt.appID, tt.sealed)
			if !errors.Is(err, tt.want) {
				t.Errorf("Decrypt = %q, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// The four length bytes are the sender's word; a key holder may have written anything.
func TestDecryptChecksTheLength(t *testing.T) {
	for _, size := range []string{"\xff\xff\xff\xff", "\x7f\xff\xff\xff", "\x00\x00\x00\x20"} {
		if got, err := splitPlain([]byte("0123456789abcdef"+size+"hello"+specAppID), specAppID); !errors.Is(err, ErrCiphertext) {
			t.Errorf("splitPlain with length %x = %q, %v, want ErrCiphertext", size, got, err)
		}
	}
	if got, err := splitPlain([]byte("short"), specAppID); !errors.Is(err, ErrCiphertext) {
		t.Errorf("splitPlain of 5 bytes = %q, %v, want ErrCiphertext", got, err)
	}
}

func TestUnpadRefuses(t *testing.T) {
	for name, tail := range map[string]string{
		"zero": "\x00", "more than a block": "\x21", "uneven bytes": "\x03\x02\x03",
	} {
		if _, ok := unpad([]byte(strings.Repeat("x", 64) + tail)); ok {
			t.Errorf("unpad accepted %s", name)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	key := mustAESKey(t, specAESKey)
	cfg := ReceiverConfig{AppID: specAppID, Mode: ModeSafe, Tokens: []string{"SpecToken2026"}, AESKeys: []string{specAESKey}}
	receiver := mustReceiver(t, cfg)
	holder := struct {
		key      AESKey
		receiver *Receiver
	}{key, receiver}
	raw := fmt.Sprintf("%d", key.bytes[:4])
	raw = strings.Trim(raw, "[]")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		values := []any{key, &key, cfg, &cfg, receiver, []AESKey{key}}
		if verb != "%s" && verb != "%q" { // fmt never asks unexported fields; go vet refuses these two
			values = append(values, holder)
		}
		for _, value := range values {
			got := fmt.Sprintf(verb, value)
			for _, secret := range []string{raw, "c314a979", "0xc3, 0x14", "wxSpecKey", "SpecToken2026"} {
				if strings.Contains(got, secret) {
					t.Errorf("%s of %T shows %q: %s", verb, value, secret, got)
				}
			}
		}
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", key)
	if want := `"key":"[redacted]"`; !strings.Contains(log.String(), want) {
		t.Errorf("log = %s, want it to contain %s", log.String(), want)
	}
}

func FuzzDecrypt(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v["encrypt"], []byte(v["msg"]))
	}
	f.Add("", []byte{})
	key, err := ParseAESKey(specAESKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sealed string, msg []byte) {
		if _, err := Decrypt(key, specAppID, sealed); err != nil && !errors.Is(err, ErrCiphertext) && !errors.Is(err, ErrForeignAppID) {
			t.Errorf("Decrypt gave an error of neither kind: %v", err)
		}
		got, err := Decrypt(key, specAppID, EncryptWith([16]byte{1}, key, specAppID, msg))
		if err != nil || string(got) != string(msg) {
			t.Errorf("Decrypt of Encrypt = %q, %v, want %q", got, err, msg)
		}
	})
}
