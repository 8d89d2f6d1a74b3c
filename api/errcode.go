package api

import (
	"sync"

	"hongyan/client"
	"hongyan/wechat"
)

// errcodeInfos explains every known errcode but 0, built once.
var errcodeInfos = sync.OnceValue(func() map[int]*client.ErrcodeInfo {
	all := map[int]*client.ErrcodeInfo{}
	for _, known := range wechat.Codes() {
		all[int(known.Code)] = newErrcodeInfo(&known)
		for _, alias := range known.Aliases {
			all[alias] = all[int(known.Code)]
		}
	}
	delete(all, 0)
	return all
})

func newErrcodeInfo(known *wechat.CodeInfo) *client.ErrcodeInfo {
	return &client.ErrcodeInfo{
		// Messages are sent, so no token endpoint's exceptions apply.
		Class:   wechat.ClassOf(wechat.EndpointTemplateSend, known.Code).String(),
		Meaning: known.Meaning, MeaningZH: known.MeaningZH, Hint: known.Hint, HintZH: known.HintZH,
	}
}

// unknownErrcode is said of codes that no known source mentions.
var unknownErrcode = sync.OnceValue(func() *client.ErrcodeInfo {
	hint, hintZH := wechat.ClassUnknown.Hint()
	return &client.ErrcodeInfo{Class: wechat.ClassUnknown.String(),
		Meaning: "a code that is in no known list", MeaningZH: "未收录的返回码", Hint: hint, HintZH: hintZH}
})

// explainErrcode says what an errcode means; nil for none and for 0, which is success.
func explainErrcode(code *int) *client.ErrcodeInfo {
	if code == nil || *code == 0 {
		return nil
	}
	if info, ok := errcodeInfos()[*code]; ok {
		return info
	}
	return unknownErrcode()
}
