package hongyan

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hongyan/internal/near"
)

// Limits of downstreams. Each push is stored once for each of them.
const (
	maxDownstreams = 20
	maxEventTypes  = 100 // in the filter of one
)

// eventForm is how Event.Type is written: WeChat's word in lower case.
var eventForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// eventTypes are the common ones, to recognise what somebody mistyped: message
// types, then events. Others are as good; WeChat adds some every year.
var eventTypes = []string{
	"text", "image", "voice", "video", "shortvideo", "location", "link", "miniprogrampage",
	"subscribe", "unsubscribe", "scan", "click", "view", "view_miniprogram",
	"scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select",
	"templatesendjobfinish", "masssendjobfinish", "publishjobfinish",
	"subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event",
	"user_enter_tempsession", "kf_create_session", "kf_close_session", "kf_switch_session",
	"user_info_modified", "user_authorization_revoke", "user_authorization_cancellation",
	"wxa_media_check", "weapp_audit_success", "weapp_audit_fail", "weapp_audit_delay",
	"qualification_verify_success", "qualification_verify_fail", "naming_verify_success", "naming_verify_fail",
	"annual_renew", "verify_expired",
}

// downstreams checks the servers that an account's pushes are handed on to.
func (c *accountCheck) downstreams(a *Account) {
	if n := len(a.Downstreams); n > maxDownstreams {
		c.add("/downstreams", "has %d downstreams; at most %d", n, maxDownstreams)
		return
	}
	first, sync := map[string]int{}, -1
	for i := range a.Downstreams {
		d, at := &a.Downstreams[i], "/downstreams/"+strconv.Itoa(i)
		c.downstream(at, d, &a.Callback)
		if earlier, twice := first[d.Name]; twice {
			c.add(at+"/name", "%q is the name of downstream %d already", clip(d.Name), earlier)
		} else {
			first[d.Name] = i
		}
		switch {
		case !d.Sync:
		case sync >= 0:
			c.add(at+"/sync", "downstream %d is synchronous already, and WeChat takes one answer", sync)
		default:
			sync = i
		}
	}
}

// downstream checks one; what it does not set itself is the account's.
func (c *accountCheck) downstream(at string, d *Downstream, account *Callback) {
	if !aliasForm.MatchString(d.Name) {
		c.add(at+"/name", "%q is not a small letter followed by up to 31 of a-z, 0-9, _ and -", clip(d.Name))
	}
	if rule := downstreamURLFault(d.URL); rule != "" {
		c.add(at+"/url", "%s", rule)
	}
	if n := len(d.Events); n > maxEventTypes {
		c.add(at+"/events", "has %d types; at most %d", n, maxEventTypes)
	} else {
		for i, e := range d.Events {
			if rule := EventTypeFault(e); rule != "" {
				c.add(at+"/events/"+strconv.Itoa(i), "%s", rule)
			}
		}
	}
	c.pushSecrets(at, d.Token, d.AESKey)
	oneOf(c, at+"/mode", d.Mode, "", "plain", "compatible", "safe")
	mode := cmp.Or(d.Mode, account.Mode)
	if !encrypts(mode) {
		return
	}
	if d.Token == "" && account.Token == "" {
		c.add(at+"/token", "required in mode %s, because the account has none either", mode)
	}
	if d.AESKey == "" && account.AESKey == "" {
		c.add(at+"/aes_key", "required in mode %s, because the account has none either", mode)
	}
}

// downstreamURLFault returns the rule a downstream's URL breaks, "" for none.
// Plain http is good enough: these are servers of the house, and pushes are
// signed. Of a URL that may hide a password only the host is repeated.
func downstreamURLFault(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "required, such as http://10.0.0.8:8080/wechat"
	case len(raw) > maxURLLen:
		return fmt.Sprintf("is longer than %d bytes", maxURLLen)
	case err != nil || u.Opaque != "":
		return "not an absolute URL such as http://10.0.0.8:8080/wechat"
	case u.User != nil || strings.Contains(raw, "#"):
		return fmt.Sprintf("the URL of host %q must have no user and no fragment", clip(u.Host))
	case u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("the URL of host %q is not an absolute one such as http://10.0.0.8:8080/wechat", clip(u.Host))
	case u.Port() != "" && !goodPort(u.Port()):
		return fmt.Sprintf("the port of %q is not between 1 and 65535", clip(u.Host))
	}
	return ""
}

// EventTypeFault returns the rule that a word for a type of event breaks, "" for
// none. Any word in lower case is a type, unless it looks like a known one
// mistyped: a filter for what never comes would lose pushes in silence.
func EventTypeFault(word string) string {
	known := slices.Contains(eventTypes, word)
	if known {
		return ""
	}
	meant := near.Word(word, eventTypes)
	formed := eventForm.MatchString(word)
	if formed && (meant == "" || near.Distance(word, meant) > 1+len(meant)/10) {
		return ""
	}
	rule := fmt.Sprintf("%q is not a type of message or event in lower case, such as templatesendjobfinish or text", clip(word))
	if formed {
		rule = fmt.Sprintf("%q is no type of message or event that is known here", clip(word))
	}
	if meant != "" {
		rule += fmt.Sprintf("; did you mean %q?", meant)
	}
	return rule
}
