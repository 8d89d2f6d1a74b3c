package dispatch

import "hongyan/wechat"

// MiniProgram and Data are WeChat's own shapes.
type (
	MiniProgram = wechat.MiniProgram
	Data        = wechat.Data
)
