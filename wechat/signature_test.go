package wechat

import "testing"

// The example of
// https://developers.weixin.qq.com/doc/subscription/guide/dev/push/encryption.md
func TestSignatureOfTheOfficialExample(t *testing.T) {
	got := Signature("AAAAA", "1714037059", "486452656")
	if want := "899cf89e464efb63f54ddac96b0a0a235f53aa78"; got != want {
		t.Errorf("Signature = %s, want %s", got, want)
	}
}

func TestVerifySignature(t *testing.T) {
	const good = "899cf89e464efb63f54ddac96b0a0a235f53aa78"
	tests := []struct {
		name, token, timestamp, nonce, signature string
		want                                     bool
	}{
		{"all as signed", "AAAAA", "1714037059", "486452656", good, true},
		{"another token", "AAAAB", "1714037059", "486452656", good, false},
		{"another time", "AAAAA", "1714037058", "486452656", good, false},
		{"another nonce", "AAAAA", "1714037059", "486452657", good, false},
		{"cut signature", "AAAAA", "1714037059", "486452656", good[:39], false},
		{"no signature", "AAAAA", "1714037059", "486452656", "", false},
		{"an empty token proves nothing", "", "1714037059", "486452656", Signature("", "1714037059", "486452656"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := VerifySignature(tt.token, tt.timestamp, tt.nonce, tt.signature); got != tt.want {
				t.Errorf("VerifySignature = %v, want %v", got, tt.want)
			}
		})
	}
}

// The parts are sorted as bytes: upper case before lower case, digits before both.
func TestSignatureDoesNotDependOnTheOrderOfItsParts(t *testing.T) {
	if got, want := Signature("b", "A", "1"), Signature("1", "b", "A"); got != want {
		t.Errorf("Signature = %s, want %s", got, want)
	}
	if got, want := MsgSignature("t", "1", "2", "e"), MsgSignature("e", "2", "1", "t"); got != want {
		t.Errorf("MsgSignature = %s, want %s", got, want)
	}
}

func TestVerifyMsgSignatureNeedsAToken(t *testing.T) {
	if VerifyMsgSignature("", "1", "2", "e", MsgSignature("", "1", "2", "e")) {
		t.Error("VerifyMsgSignature accepted an empty token")
	}
}
