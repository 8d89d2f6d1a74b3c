// Package phone is the sandbox's phone in the browser: a page that shows what a
// user would see in WeChat, by the rules of the era the account is in, with the
// people on its left and a developer panel on its right. Start with [Handler],
// which serves it in front of the sandbox's own paths.
//
// Pages are templates of this program; htmx fetches parts of them again when the
// stream of server-sent events says that they may look different now. The stream
// names parts and carries no content, so a slow page gets fewer events and never
// stale ones. Without scripts every button and link works, with a page for each.
// Nothing is loaded from elsewhere, and the page's policy allows nothing else.
//
// Everything is done through exported methods of [sandbox.Sandbox]: what the page
// can do, a test in Go can do. It leaves to package wechat how a message is drawn
// and where it leads ([wechat.Render], [wechat.ResolveJump]), and to the sandbox
// what happens. Whoever the control API lets in is let in here; requests that
// another origin's page sends are refused.
//
// # Names on the page
//
// Tests may rely on these. The page is /?user=OPENID&chat=APPID|notices&open=MSGID&
// prompt=APPID&panel=traffic|faults|clock|accounts&only=all|user|failed|pushes, all
// of them optional.
//
//	body[data-tab]                         phone, people, panel: what a narrow screen shows
//	#live[data-state]                      open, closed: the stream
//	#person-OPENID [data-badge=KEY]        a person; badge.following, badge.not-following, badge.refusing,
//	                                       badge.blacklisted, badge.frozen; [data-unread] on the link
//	#screen-state                          [data-kind] chats, chat, browser, mini, blank, prompt;
//	                                       [data-chat], [data-depth], [data-platform]
//	#chat-APPID, #chat-notices             rows of the chat list, with [data-unread]
//	#card-MSGID                            a card: [data-card], [data-style] classic, trimmed, mini, [data-era],
//	                                       [data-jump] none, url, miniprogram, blank_page; its parts are [data-part]
//	                                       topcolor, head, title, date, first, emphasis, line ([data-label]), remark, foot
//	#tap-MSGID, #back                      opens the card; goes back
//	#menu-MSGID, #refuse-MSGID             the three dots, and 拒收通知 behind them
//	[data-part]                            of what a tap opened: address, host, url; mini-name, path, appid; blank-page
//	#follow-APPID, #form-APPID, #pay-APPID, #prompt-APPID, #one-time-APPID
//	                                       buttons of an account, also [data-action] follow, unfollow, form, pay, prompt, one-time
//	#prompt-accept, #prompt-reject         in the prompt; [data-template] on its boxes
//	#switch-refuse, #switch-blacklist, #switch-freeze, #switch-old-client
//	                                       switches, with aria-checked
//	#platform-ios, #platform-android       with aria-pressed
//	[data-grant=ID]                        a form_id or prepay_id: [data-state] waiting, ready, used, expired
//	[data-consent=TEMPLATE_ID]             an accepted subscription, with [data-left]
//	#exchange-SEQ                          a call or push: [data-direction] call, push; [data-errcode]; [data-failed];
//	                                       .x-result, .note, [data-status] (of an event), [data-curl]
//	#only-FILTER, #panel-NAME, #panel-body chips and tabs of the panel
//	#fault-path, #fault-effect, #fault-value, #fault-times, #fault-rate, #fault-user, #fault-add
//	                                       the form of a rule; rules are [data-fault=ID] with #remove-ID
//	#preset-NAME                           with aria-checked
//	#advance-10s … #advance-168h, #advance the clock; #fired [data-fired=KEY] says what a jump brought about
//	#era-APPID                             the era of an account
//	[data-toast]                           good, bad: a sentence about what was done
package phone
