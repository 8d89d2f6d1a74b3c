package wechat

import (
	"strings"
	"testing"
)

func TestCutLine(t *testing.T) {
	han := func(n int) string { return strings.Repeat("字", n) }
	tests := []struct{ name, value, want string }{
		{"empty", "", ""},
		{"exactly twenty", han(20), han(20)},
		{"one too many", han(21), han(20) + "…"},
		{"a run of letters counts once", strings.Repeat("a", 50) + han(19), strings.Repeat("a", 50) + han(19)},
		{"and is followed by the cut", strings.Repeat("a", 50) + han(20), strings.Repeat("a", 50) + han(19) + "…"},
		{"a run at the end is kept whole", han(19) + "20261120", han(19) + "20261120"},
		{"a run behind the end is dropped whole", han(20) + "20261120", han(20) + "…"},
		{"letters and digits are two runs", han(19) + "A1001", han(19) + "A…"},
		{"symbols count each", strings.Repeat("-", 21), strings.Repeat("-", 20) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cutLine(tt.value); got != tt.want {
				t.Errorf("cutLine = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDropEmoji(t *testing.T) {
	tests := map[string]string{
		"订单已支付":            "订单已支付",
		"恭喜🎉你":             "恭喜你",
		"❤️ 谢谢":            " 谢谢",
		"❤ 谢谢":             "❤ 谢谢",
		"👨‍👩‍👧家":           "家",
		"👍🏽好":              "好",
		"🇨🇳中国":             "中国",
		"第1️⃣名":            "第名",
		"⏰15:01":           "15:01",
		"☆★✓©™￥①":          "☆★✓©™￥①",
		"🏴󠁧󠁢󠁥󠁮󠁧󠁿队":         "队",
		"#1 *2":            "#1 *2",
		"bad \xff utf-8":   "bad \xff utf-8",
		"⌚\ufe0e text one": "⌚\ufe0e text one",
	}
	for value, want := range tests {
		if got := dropEmoji(value); got != want {
			t.Errorf("dropEmoji(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestEmojiTableIsSorted(t *testing.T) {
	last := rune(0)
	for _, r := range emojiAlone.R16 {
		if rune(r.Lo) <= last || r.Hi < r.Lo {
			t.Errorf("range %#x is out of order", r.Lo)
		}
		last = rune(r.Hi)
	}
	for _, r := range emojiAlone.R32 {
		if rune(r.Lo) <= last || r.Hi < r.Lo {
			t.Errorf("range %#x is out of order", r.Lo)
		}
		last = rune(r.Hi)
	}
}
