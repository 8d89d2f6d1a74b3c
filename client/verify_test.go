package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// signature is that of one secret's bytes.
func signature(key, id string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestVerifyWebhook(t *testing.T) {
	const body = `{"type":"message.delivered"}`
	now := time.Now()
	secret := func(key string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(key)) }
	good := signature("new", "evt_1", now, body)
	tests := []struct {
		name      string
		id, body  string
		at        time.Time
		signature string
		secrets   []string
		forged    string // part of the error; "" = believed
	}{
		{"signed", "evt_1", body, now, good, []string{secret("new")}, ""},
		{"signed with the newer of two", "evt_1", body, now, good, []string{secret("old"), secret("new")}, ""},
		{"signed with both", "evt_1", body, now, "v1a,xx " + signature("old", "evt_1", now, body) + " " + good, []string{secret("new")}, ""},
		{"another body", "evt_1", body + " ", now, good, []string{secret("new")}, "no signature fits"},
		{"another id", "evt_2", body, now, good, []string{secret("new")}, "no signature fits"},
		{"another secret", "evt_1", body, now, good, []string{secret("old")}, "no signature fits"},
		{"another version", "evt_1", body, now, strings.Replace(good, "v1,", "v2,", 1), []string{secret("new")}, "no signature fits"},
		{"no secret", "evt_1", body, now, good, nil, "no signature fits"},
		{"old", "evt_1", body, now.Add(-301 * time.Second), signature("new", "evt_1", now.Add(-301*time.Second), body), []string{secret("new")}, "its time is 5m"},
		{"from the future", "evt_1", body, now.Add(310 * time.Second), signature("new", "evt_1", now.Add(310*time.Second), body), []string{secret("new")}, "its time is 5m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			header.Set("webhook-id", tt.id)
			header.Set("webhook-timestamp", strconv.FormatInt(tt.at.Unix(), 10))
			header.Set("webhook-signature", tt.signature)
			err := VerifyWebhook(header, []byte(tt.body), tt.secrets...)
			if tt.forged == "" && err != nil || tt.forged != "" && (!errors.Is(err, ErrForgedWebhook) || !strings.Contains(err.Error(), tt.forged)) {
				t.Errorf("error %v, want %q", err, tt.forged)
			}
		})
	}
	if err := VerifyWebhook(http.Header{}, nil, secret("new")); !errors.Is(err, ErrForgedWebhook) {
		t.Errorf("without headers: %v", err)
	}
	for _, none := range []string{"", "whsec_", "whsec_%", "c2VjcmV0"} {
		header := http.Header{"Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}}
		err := VerifyWebhook(header, nil, none)
		if err == nil || errors.Is(err, ErrForgedWebhook) {
			t.Errorf("secret %q: %v", none, err)
		}
	}
}
