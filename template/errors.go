package template

import (
	"errors"

	"hongyan/wechat"
)

// asWeChat finds what WeChat said in err.
func asWeChat(err error) (*wechat.Error, bool) { return errors.AsType[*wechat.Error](err) }
