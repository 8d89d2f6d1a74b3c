package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// MaxReplyBytes is the longest answer OpenReply reads. A passive reply is a few
// hundred bytes, a reply with eight articles a few thousand.
const MaxReplyBytes = 64 << 10

// wireReply is what of a passive reply is looked at, sealed or not (spec §5.4).
type wireReply struct {
	XMLName      xml.Name `xml:"xml" json:"-"`
	MsgType      wireText `xml:"MsgType"`
	Encrypt      wireText `xml:"Encrypt"`
	MsgSignature wireText `xml:"MsgSignature"`
	TimeStamp    wireText `xml:"TimeStamp"`
	Nonce        wireText `xml:"Nonce"`
}

// OpenReply reads what a callback server answered to a push: the plain passive
// reply, nil when there is nothing to say to the user (`success` or nothing at
// all, spec §5.3). A reply may be XML or JSON, sealed or not whatever the mode of
// the push was. It is an error, which quotes nothing, when it is neither, when it
// has no MsgType, or when its seal is not the server's own.
func (p *Pusher) OpenReply(body []byte) ([]byte, error) {
	plain, reply, err := readReply(body)
	if err != nil || plain == nil {
		return nil, err
	}
	if reply.Encrypt == "" {
		return usable(plain, reply)
	}
	if p.key.bytes == nil {
		return nil, errors.New("wechat: reply: encrypted, and there is no AES key for this server")
	}
	if !VerifyMsgSignature(p.token, string(reply.TimeStamp), string(reply.Nonce), string(reply.Encrypt), string(reply.MsgSignature)) {
		return nil, errors.New("wechat: reply: MsgSignature does not belong to the encrypted part")
	}
	opened, err := Decrypt(p.key, p.appID, string(reply.Encrypt))
	if err != nil {
		return nil, fmt.Errorf("wechat: reply: %w", err)
	}
	plain, reply, err = readReply(opened)
	if err != nil || plain == nil {
		return nil, err
	}
	return usable(plain, reply)
}

// usable refuses what WeChat would show its user a fault for.
func usable(plain []byte, r *wireReply) ([]byte, error) {
	if r.MsgType == "" {
		return nil, errors.New("wechat: reply: it has no MsgType")
	}
	return plain, nil
}

// readReply takes an answer apart; nil for one that says nothing.
func readReply(body []byte) ([]byte, *wireReply, error) {
	if len(body) > MaxReplyBytes {
		return nil, nil, fmt.Errorf("wechat: reply: more than %d bytes", MaxReplyBytes)
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, byteOrderMark))
	if len(body) == 0 || string(body) == "success" {
		return nil, nil, nil
	}
	reply, err := parseReply(body)
	if err != nil {
		return nil, nil, fmt.Errorf("wechat: reply: %w", err)
	}
	return body, reply, nil
}

func parseReply(body []byte) (*wireReply, error) {
	var reply wireReply
	switch body[0] {
	case '{':
		if err := json.Unmarshal(body, &reply); err != nil {
			return nil, errors.New("JSON that cannot be read")
		}
	case '<':
		plain := xml.NewDecoder(bytes.NewReader(body))
		err := xml.NewTokenDecoder(strictTokens{plain}).Decode(&reply)
		if err == nil {
			err = onlySpaceLeft(plain)
		}
		if err != nil {
			return nil, errors.New("XML that cannot be read") // the decoder's own error may quote it
		}
	default:
		return nil, errors.New("neither XML nor JSON, nor success")
	}
	return &reply, nil
}

// SealReply makes the answer to a push out of a plain passive reply: sealed with
// the key and signed with the token that the push came with, so that a change of
// either under way does no harm (spec §5.4); as it is when the push was not
// encrypted. An empty reply is `success`, which is never encrypted (spec §5.3).
func (r *Receiver) SealReply(push Push, reply []byte, at time.Time) ([]byte, error) {
	if len(reply) == 0 {
		return []byte("success"), nil
	}
	if push.KeyIndex < 0 {
		return reply, nil
	}
	if push.KeyIndex >= len(r.keys) || push.TokenIndex < 0 || push.TokenIndex >= len(r.tokens) {
		return nil, errors.New("wechat: seal reply: the push is not of this receiver")
	}
	encrypt, err := Encrypt(r.keys[push.KeyIndex], r.appID, reply)
	if err != nil {
		return nil, err
	}
	timestamp, nonce := strconv.FormatInt(at.Unix(), 10), newNonce()
	signature := MsgSignature(r.tokens[push.TokenIndex], timestamp, nonce, encrypt)
	if isJSON(reply) {
		return fmt.Appendf(nil, `{"Encrypt":"%s","MsgSignature":"%s","TimeStamp":%s,"Nonce":"%s"}`, encrypt, signature, timestamp, nonce), nil
	}
	return fmt.Appendf(nil, "<xml>%s<MsgSignature>%s</MsgSignature><TimeStamp>%s</TimeStamp><Nonce>%s</Nonce></xml>",
		encryptElement(encrypt), cdata(signature), timestamp, cdata(nonce)), nil
}
