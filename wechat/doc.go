// Package wechat speaks the protocol of WeChat's template messages (微信模板消息)
// and knows what its answers mean. It can be used alone: it needs the standard
// library only and keeps no state.
//
// Start with [Client]: SendTemplateMessage and its siblings take an access
// token from a [TokenSource], call the platform and retry once when the token
// turns out to be dead. [Client.Do] is a single attempt for callers with a
// retry policy of their own.
//
// Five kinds of message can be sent, each a type whose body [MarshalBody] writes:
//
//	TemplateMessage      official account, template message (模板消息)
//	MiniTemplateMessage  mini program, the same until 2020 (小程序模板消息)
//	SubscribeMessage     mini program, after a prompt (小程序订阅消息)
//	NoticeMessage        service account, after a prompt (订阅通知)
//	OneTimeMessage       official account, after a page (一次性订阅消息), see OneTimePage
//
// UniformMessage, withdrawn in 2023, joined the first two. A type with limits that
// the platform has published has a method Check; Client applies it before a call.
//
// Around them the Client has the account's templates and the libraries they come
// from, industries, quotas and their reset, messages that review blocked, what
// became of a call by its rid, and the check of the callback server.
//
// Every failed call ends in one of five errors. [Error] is a code the platform
// answered. [StatusError] is an HTTP refusal, a fault of ours. [TransportError]
// is everything else, and says whether the request can have arrived. [TokenError]
// is a call that had no token to go with, [RequestError] one that broke a
// published limit. [OutcomeOf] and [ClassOfError] sum them up for a retry policy;
// [LookupCode] explains a code to people in English and Chinese. No error carries
// an AppSecret or an access token.
//
// The package also reads templates ([ParseContent], [ValidateData], [Render]),
// the events that the platform pushes back ([Receiver], [ParseEvent]) and the
// answer of a one-time subscription ([ParseOneTimeRedirect]).
//
// It leaves to others: keeping tokens, queueing, pacing, retrying over time,
// and remembering what became of a message.
package wechat
