package phone

import (
	"fmt"
	"hash/fnv"
	"html/template"
	"strings"
)

// seedOf turns an id into numbers: the same id looks the same everywhere.
func seedOf(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	sum := h.Sum64()
	// FNV leaves the high bits of short, similar ids alike; openids are that.
	sum ^= sum >> 33
	sum *= 0xff51afd7ed558ccd
	return sum ^ sum>>33
}

// Colours that stay friendly beside each other, light and dark.
var (
	backdrops = []string{"#F6C9A8", "#A9D8C4", "#F3B8B5", "#B7CBF0", "#F7DF9C", "#C9BDEB", "#9FD3E3", "#D5DE9F"}
	clothes   = []string{"#C0563F", "#2F7D6B", "#4A62A8", "#A8477A", "#7A5AA6", "#C98A1B", "#3B6F8F", "#5D7A2E"}
	skins     = []string{"#FFE0C7", "#F8D2B0", "#F1C69C", "#E8B88A"}
	hairs     = []string{"#2B2320", "#3B2B24", "#4A3428", "#1F2430"}
)

// Hair styles as paths over a head at (24,20) with radius 9.
var hairStyles = []string{
	`<path d="M14 20a10 10 0 0 1 20 0c-3-1-5-3-6-6-3 4-9 6-14 6z"/>`,
	`<path d="M13.5 27V19a10.5 10.5 0 0 1 21 0v8h-3v-8c-5 0-9-2-11-5-1 3-2 4-4 5v8z"/>`,
	`<path d="M14.5 18a9.5 9.5 0 0 1 19 0c-6 1-13 1-19 0z"/>`,
	`<circle cx="24" cy="9" r="4.5"/><path d="M14 20a10 10 0 0 1 20 0c-5-1-8-4-9-6-2 3-6 5-11 6z"/>`,
	`<path d="M13 30c1-4 .5-7 .5-11a10.5 10.5 0 0 1 21 0c0 4-.5 7 .5 11h-4v-10c-4 0-8-2-10-5-1 3-3 4-4 5v10z"/>`,
}

// personAvatar draws a face for an openid. Only constants and numbers go into it.
func personAvatar(openid string) template.HTML {
	seed := seedOf(openid)
	pick := func(list []string) string {
		choice := list[seed%uint64(len(list))]
		seed /= uint64(len(list))
		return choice
	}
	back, shirt, skin, hair, style := pick(backdrops), pick(clothes), pick(skins), pick(hairs), pick(hairStyles)
	return template.HTML(fmt.Sprintf(`<svg class="avatar" viewBox="0 0 48 48" aria-hidden="true" focusable="false">`+
		`<rect width="48" height="48" fill="%s"/><path fill="%s" d="M8 48c0-10 7-15 16-15s16 5 16 15z"/>`+
		`<path fill="%s" d="M20.5 27h7v6.5a3.5 3.5 0 0 1-7 0z"/><circle cx="24" cy="20.5" r="9" fill="%s"/>`+
		`<g fill="%s">%s</g><g fill="#3a2c26"><circle cx="20.7" cy="21.8" r="1"/><circle cx="27.3" cy="21.8" r="1"/></g>`+
		`<path d="M21.5 25.3q2.5 1.9 5 0" fill="none" stroke="#a8573f" stroke-width="1.1" stroke-linecap="round"/></svg>`,
		back, shirt, skin, skin, hair, style))
}

// accountAvatar is an account's first character on its colour; mini programs are round.
func accountAvatar(appid, name string, mini bool) template.HTML {
	letter := "微"
	for _, r := range name {
		letter = string(r)
		break
	}
	shape := "avatar"
	if mini {
		shape = "avatar round"
	}
	colour := clothes[seedOf(appid)%uint64(len(clothes))]
	return template.HTML(fmt.Sprintf(`<svg class="%s" viewBox="0 0 48 48" aria-hidden="true" focusable="false"><rect width="48" height="48" fill="%s"/>`+
		`<text x="24" y="32" font-size="23" font-weight="600" text-anchor="middle" fill="#fff">%s</text></svg>`,
		shape, colour, template.HTMLEscapeString(letter)))
}

// noticesAvatar is that of 服务通知.
const noticesAvatar template.HTML = `<svg class="avatar" viewBox="0 0 48 48" aria-hidden="true" focusable="false"><rect width="48" height="48" fill="#2BA245"/>` +
	`<path fill="#fff" d="M24 10a2.2 2.2 0 0 1 2.2 2.2v.9A9 9 0 0 1 33 21.8v6.2l2.6 3.4a1 1 0 0 1-.8 1.6H13.2a1 1 0 0 1-.8-1.6L15 28v-6.2a9 9 0 0 1 6.8-8.7v-.9A2.2 2.2 0 0 1 24 10zm-4 25h8a4 4 0 0 1-8 0z"/></svg>`

// Names for people nobody has named.
var (
	surnames   = strings.Fields("林 陈 周 苏 沈 许 叶 江 顾 宋 陆 唐 何 罗 郑 谢")
	givenNames = strings.Fields("小雨 子墨 思远 佳宁 一鸣 若溪 浩然 书瑶 雨桐 明轩 语嫣 景行 安然 知夏 云舟 乐天")
)

// inventedName is a name for an openid: easier to tell apart than 28 characters.
func inventedName(openid string) string {
	seed := seedOf(openid) >> 20
	return surnames[seed%uint64(len(surnames))] + givenNames[seed/uint64(len(surnames))%uint64(len(givenNames))]
}
