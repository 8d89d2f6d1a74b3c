// Package wechat speaks the protocol of WeChat's template messages (微信模板消息)
// and knows what its answers mean. It can be used alone: it needs the standard
// library only and keeps no state.
//
// Start with [Client]: SendTemplateMessage and its siblings take an access
// token from a [TokenSource], call the platform and retry once when the token
// turns out to be dead. [Client.Do] is a single attempt for callers with a
// retry policy of their own.
//
// Every failed call ends in one of four errors. [Error] is a code the platform
// answered. [StatusError] is an HTTP refusal, a fault of ours. [TransportError]
// is everything else, and says whether the request can have arrived. [TokenError]
// is a call that had no token to go with. [OutcomeOf] and [ClassOfError] sum them
// up for a retry policy; [LookupCode] explains a code to people in English and
// Chinese. No error carries an AppSecret or an access token.
//
// The package also reads templates ([ParseContent], [ValidateData], [Render])
// and the events that the platform pushes back ([Receiver], [ParseEvent]).
//
// It leaves to others: keeping tokens, queueing, pacing, retrying over time,
// and remembering what became of a message.
package wechat
