package server

import (
	"context"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/rule"
)

// callerRules stands for the id of whoever posted the messages that rules send.
const callerRules = "rules"

// sendForRules hands the engine what rules want sent.
func (w *works) sendForRules(ctx context.Context, all []rule.Outgoing) ([]rule.Sent, error) {
	sent := make([]rule.Sent, len(all))
	var requests []dispatch.Request
	var places []int
	for i := range all {
		r, err := requestOf(&all[i])
		if err != nil {
			sent[i].Err = err
			continue
		}
		requests, places = append(requests, r), append(places, i)
	}
	if len(requests) == 0 {
		return sent, nil
	}
	done, err := w.engine.Submit(ctx, requests)
	if err != nil {
		return nil, err
	}
	for j, i := range places {
		sent[i] = rule.Sent{MessageID: done[j].Message.ID, Err: done[j].Err}
	}
	return sent, nil
}

// requestOf is a rule's message as the engine takes it.
func requestOf(o *rule.Outgoing) (dispatch.Request, error) {
	m := &o.Message
	priority, err := hongyan.ParsePriority(m.Priority)
	if err != nil {
		return dispatch.Request{}, err
	}
	return dispatch.Request{
		AppID: o.AppID, Kind: m.Kind, ToUser: o.ToUser, TemplateID: m.TemplateID, URL: m.URL, MiniProgram: m.MiniProgram,
		Page: m.Page, MiniProgramState: m.MiniProgramState, Lang: m.Lang, Data: m.Data, Priority: priority, Metadata: m.Metadata,
		ClientMsgID: o.ClientMsgID, SendAt: o.SendAt, ExpiresAt: o.ExpiresAt, CallerID: callerRules,
	}, nil
}
