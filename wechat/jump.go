package wechat

import (
	"fmt"
	"strings"
)

// JumpKind says what a tap on a message opens.
type JumpKind uint8

// The kinds of jump. JumpBlankPage is no mistake of ours: iOS showed one in era A.
const (
	JumpNone        JumpKind = iota // nothing happens
	JumpURL                         // the browser opens URL
	JumpMiniProgram                 // the mini program AppID opens at PagePath
	JumpBlankPage                   // an empty page opens
)

var jumpWords = [...]string{"none", "url", "miniprogram", "blank_page"}

// String returns "none", "url", "miniprogram" or "blank_page".
func (k JumpKind) String() string {
	if int(k) < len(jumpWords) {
		return jumpWords[k]
	}
	return fmt.Sprintf("JumpKind(%d)", uint8(k))
}

// MarshalText writes the word of String.
func (k JumpKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Platform is the kind of phone; it matters in era A only.
type Platform uint8

// The two platforms. The zero value is iOS.
const (
	PlatformIOS Platform = iota
	PlatformAndroid
)

// String returns "ios" or "android".
func (p Platform) String() string {
	if p == PlatformAndroid {
		return "android"
	}
	return "ios"
}

// Jump is what a tap opens. Only the fields of its Kind are filled.
type Jump struct {
	Kind     JumpKind
	URL      string
	AppID    string // mini program
	PagePath string // page with query, such as index?foo=bar; "" is the front page
}

// JumpInput is what the jump depends on.
type JumpInput struct {
	Era         Era
	URL         string
	MiniProgram *MiniProgram // nil or with an empty AppID: none
	Platform    Platform
	OldClient   bool // this WeChat version cannot open mini programs
}

// ResolveJump decides what a tap opens (spec §4.4, S29 and S48 to S51): the mini program first,
// the url for clients too old for it, nothing without either. In era A an empty url opened a
// blank page on iOS and did nothing on Android. Before era C the field miniprogram did not
// exist and is ignored.
func ResolveJump(in JumpInput) Jump {
	knowsMiniPrograms := !in.Era.Before(EraC) && !in.OldClient
	if m := in.MiniProgram; knowsMiniPrograms && m != nil && m.AppID != "" {
		return Jump{Kind: JumpMiniProgram, AppID: m.AppID, PagePath: m.PagePath}
	}
	if strings.TrimSpace(in.URL) != "" {
		return Jump{Kind: JumpURL, URL: in.URL}
	}
	if in.Era == EraA && in.Platform == PlatformIOS {
		return Jump{Kind: JumpBlankPage}
	}
	return Jump{}
}
