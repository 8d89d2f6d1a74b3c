package wechat

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
)

// Signature computes the signature of a callback's query: token, timestamp and nonce are sorted
// as byte strings, joined and hashed with SHA-1; the result is 40 lower-case hex digits
// (https://developers.weixin.qq.com/doc/subscription/guide/dev/push/encryption.md).
//
// It covers neither the body nor the other parameters: whoever has seen one signed query can
// repeat it with another body. Only the safe mode binds the body, through MsgSignature.
func Signature(token, timestamp, nonce string) string {
	return sortedSHA1(token, timestamp, nonce)
}

// MsgSignature computes msg_signature, which also covers encrypt, the base64 text of the
// Encrypt element. Timestamp and nonce are those of the query; in an encrypted reply those of
// the reply.
func MsgSignature(token, timestamp, nonce, encrypt string) string {
	return sortedSHA1(token, timestamp, nonce, encrypt)
}

// VerifySignature reports whether signature is that of the other values, in constant time. An
// empty token verifies nothing: it would make the signature computable by anybody.
func VerifySignature(token, timestamp, nonce, signature string) bool {
	return token != "" && sameText(Signature(token, timestamp, nonce), signature)
}

// VerifyMsgSignature is VerifySignature for msg_signature.
func VerifyMsgSignature(token, timestamp, nonce, encrypt, signature string) bool {
	return token != "" && sameText(MsgSignature(token, timestamp, nonce, encrypt), signature)
}

func sortedSHA1(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// sameText compares without telling by its duration how many leading bytes agree.
func sameText(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
