package wechat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table of spec §4.4.
func TestResolveJump(t *testing.T) {
	const link = "http://weixin.qq.com/download"
	mini := &MiniProgram{AppID: "xiaochengxuappid12345", PagePath: "index?foo=bar"}
	toMini := Jump{Kind: JumpMiniProgram, AppID: "xiaochengxuappid12345", PagePath: "index?foo=bar"}
	toURL := Jump{Kind: JumpURL, URL: link}
	tests := []struct {
		name string
		in   JumpInput
		want Jump
	}{
		{"era A, no url, iOS: a blank page", JumpInput{Era: EraA}, Jump{Kind: JumpBlankPage}},
		{"era A, no url, Android: not clickable", JumpInput{Era: EraA, Platform: PlatformAndroid}, Jump{}},
		{"era A, url", JumpInput{Era: EraA, URL: link}, toURL},
		{"era A knows no mini programs, iOS", JumpInput{Era: EraA, MiniProgram: mini}, Jump{Kind: JumpBlankPage}},
		{"era A knows no mini programs, url", JumpInput{Era: EraA, MiniProgram: mini, URL: link}, toURL},
		{"era B, nothing", JumpInput{Era: EraB}, Jump{}},
		{"era B knows no mini programs", JumpInput{Era: EraB, MiniProgram: mini}, Jump{}},
		{"era C, mini program first", JumpInput{Era: EraC, MiniProgram: mini, URL: link}, toMini},
		{"era D, old client takes the url", JumpInput{Era: EraD, MiniProgram: mini, URL: link, OldClient: true}, toURL},
		{"today, nothing", JumpInput{}, Jump{}},
		{"today, nothing, Android", JumpInput{Platform: PlatformAndroid}, Jump{}},
		{"today, url", JumpInput{URL: link}, toURL},
		{"today, mini program", JumpInput{MiniProgram: mini}, toMini},
		{"today, both", JumpInput{MiniProgram: mini, URL: link}, toMini},
		{"today, both, old client", JumpInput{MiniProgram: mini, URL: link, OldClient: true}, toURL},
		{"today, mini program, old client", JumpInput{MiniProgram: mini, OldClient: true}, Jump{}},
		{"a mini program without appid is none", JumpInput{MiniProgram: &MiniProgram{PagePath: "index"}, URL: link}, toURL},
		{"a blank url is none", JumpInput{URL: " "}, Jump{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ResolveJump(tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ResolveJump (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJumpWords(t *testing.T) {
	tests := map[JumpKind]string{
		JumpNone: "none", JumpURL: "url", JumpMiniProgram: "miniprogram", JumpBlankPage: "blank_page", 9: "JumpKind(9)",
	}
	for kind, want := range tests {
		if got, err := kind.MarshalText(); err != nil || string(got) != want {
			t.Errorf("MarshalText of %d = %s, %v, want %s", uint8(kind), got, err, want)
		}
	}
	if got, want := PlatformIOS.String()+" "+PlatformAndroid.String(), "ios android"; got != want {
		t.Errorf("platforms = %s, want %s", got, want)
	}
}
