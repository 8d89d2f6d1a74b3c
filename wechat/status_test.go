package wechat

import "testing"

func TestParseStatus(t *testing.T) {
	tests := map[string]DeliveryStatus{
		"success":                 StatusSuccess,
		" Success\n":              StatusSuccess,
		"failed:user block":       StatusUserBlock,
		"failed: user block":      StatusUserBlock,
		"failed: system failed":   StatusSystemFailed,
		"failed:system failed":    StatusSystemFailed,
		"system failed":           StatusSystemFailed, // the bare words of the notes (K13)
		"FAILED : System  Failed": StatusSystemFailed,
		"failed:freq limit":       StatusFreqLimit,
		"failed: freq limit":      StatusFreqLimit,
		"failed":                  StatusOther,
		"failed:":                 StatusOther,
		"failed:moon phase":       StatusOther,
		"failed:success":          StatusOther,
		"success:user block":      StatusOther,
		"succeeded":               StatusOther,
		"blocked:user block":      StatusOther,
		"":                        StatusOther,
		":":                       StatusOther,
	}
	for text, want := range tests {
		if got := ParseStatus(text); got != want {
			t.Errorf("ParseStatus(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestDeliveryStatusWords(t *testing.T) {
	tests := map[DeliveryStatus]string{
		StatusSuccess: "success", StatusUserBlock: "user_block", StatusSystemFailed: "system_failed",
		StatusFreqLimit: "freq_limit", StatusOther: "other", 99: "DeliveryStatus(99)",
	}
	for status, want := range tests {
		if got := status.String(); got != want {
			t.Errorf("String of %d = %s, want %s", uint8(status), got, want)
		}
	}
	var zero DeliveryStatus
	if zero == StatusSuccess {
		t.Error("the zero status reads as a success")
	}
}
