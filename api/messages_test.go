package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
	"hongyan/sandbox"
)

// wantProblem checks that err is a Problem with a status and code.
func wantProblem(t *testing.T, err error, status int, code string) *client.Problem {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		t.Errorf("error %v, want a problem %d %s", err, status, code)
		return &client.Problem{}
	}
	if p.Status != status || p.Code != code {
		t.Errorf("problem %d %s (%s), want %d %s", p.Status, p.Code, p.Detail, status, code)
	}
	return p
}

func TestListMessagesByFilterAndPage(t *testing.T) {
	g := newGateway(t)
	g.seed()
	var ids []string // newest first
	for n := range 5 {
		req := order(sandbox.OpenID("", n))
		req.SendAt = time.Now().Add(time.Hour)
		sent, err := g.admin.Send(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		ids = append([]string{sent.ID}, ids...)
	}
	if _, err := g.admin.Cancel(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		filter client.MessageFilter
		want   []string
	}{
		{"everything", client.MessageFilter{}, ids},
		{"pages of two", client.MessageFilter{Limit: 2}, ids},
		{"one recipient", client.MessageFilter{ToUser: sandbox.OpenID("", 4)}, ids[:1]},
		{"one state", client.MessageFilter{States: []string{"cancelled"}}, ids[:1]},
		{"two states", client.MessageFilter{States: []string{"queued", "held"}}, ids[1:]},
		{"an account by alias", client.MessageFilter{AppID: "shop"}, ids},
		{"another account", client.MessageFilter{AppID: sandbox.SeedMiniAppID}, nil},
		{"another template", client.MessageFilter{TemplateID: sandbox.SeedTemplateQueue}, nil},
		{"an exact id", client.MessageFilter{Query: ids[2]}, ids[2:3]},
		{"until long ago", client.MessageFilter{Until: time.Now().Add(-time.Hour)}, nil},
		{"since an hour ago", client.MessageFilter{Since: time.Now().Add(-time.Hour)}, ids},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for m, err := range g.admin.AllMessages(t.Context(), tt.filter) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m.ID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadListParametersAreRefused(t *testing.T) {
	g := newGateway(t)
	for path, want := range map[string]struct{ code, pointer, value string }{
		"/v1/messages?limit=0":               {"bad_parameter", "/query/limit", `"0"`},
		"/v1/messages?limit=1001":            {"bad_parameter", "/query/limit", `"1001"`},
		"/v1/messages?limit=ten":             {"bad_parameter", "/query/limit", `"ten"`},
		"/v1/messages?stat=queued":           {"bad_parameter", "/query/stat", ""},
		"/v1/messages?state=queued,gone":     {"unknown_state", "/query/state", `"gone"`},
		"/v1/messages?since=yesterday":       {"bad_time", "/query/since", `"yesterday"`},
		"/v1/messages?until=2026-01-01":      {"bad_time", "/query/until", `"2026-01-01"`},
		"/v1/messages?cursor=nonsense":       {"bad_cursor", "/query/cursor", ""},
		"/v1/messages?cursor=" + eventCursor: {"bad_cursor", "/query/cursor", ""},
		"/v1/pushes?limit=0":                 {"bad_parameter", "/query/limit", `"0"`},
	} {
		t.Run(path, func(t *testing.T) {
			got := g.do("GET", path, "")
			p := got.problem(t)
			if got.status != 422 || p.Code != want.code || len(p.Errors) != 1 || p.Errors[0].Pointer != want.pointer {
				t.Errorf("status %d, problem %+v, want 422 %s at %s", got.status, p, want.code, want.pointer)
			}
			if !strings.Contains(p.Detail, want.value) {
				t.Errorf("detail %q, want the value %s in it", p.Detail, want.value)
			}
		})
	}
}

// eventCursor is a good cursor of another list.
var eventCursor = *cursorFor("e", 12)

func TestTimesOfAQueryMayHaveAnUnescapedPlus(t *testing.T) {
	g := newGateway(t)
	if got := g.do("GET", "/v1/messages?since=2026-11-20T09:30:00+08:00", ""); got.status != 200 {
		t.Errorf("status %d, body %s", got.status, got.body)
	}
}

func TestCancelReleaseAndRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		g.run()
		synctest.Wait()
		ctx := t.Context()
		later := order(sandbox.OpenID("", 1))
		later.SendAt = time.Now().Add(time.Hour)
		first, err := g.admin.Send(ctx, later)
		if err != nil {
			t.Fatal(err)
		}
		cancelled, err := g.admin.Cancel(ctx, first.ID)
		if err != nil || cancelled.State != "cancelled" || !cancelled.Final {
			t.Errorf("cancelled %+v, %v", cancelled, err)
		}
		for done, act := range map[string]func(context.Context, string) (client.Message, error){
			"cancelled": g.admin.Cancel, "released": g.admin.Release, "retried": g.admin.Retry,
		} {
			_, err = act(ctx, first.ID)
			want := "message " + first.ID + " is cancelled and cannot be " + done + ". " + whenPossible[done]
			if p := wantProblem(t, err, 409, "wrong_state"); p.Detail != want {
				t.Errorf("detail %q\nwant %q", p.Detail, want)
			}
		}

		later.ToUser = sandbox.OpenID("", 2)
		second, err := g.admin.Send(ctx, later)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.admin.Release(ctx, second.ID); err != nil {
			t.Fatal(err)
		}
		refused, err := g.admin.Send(ctx, order(sandbox.OpenID("BADID", 1)))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		released, err := g.admin.Message(ctx, second.ID)
		if err != nil || released.State != "accepted" {
			t.Errorf("released %+v, %v", released, err)
		}
		failed, err := g.admin.Message(ctx, refused.ID)
		if err != nil || failed.State != "failed" || failed.Errcode == nil || *failed.Errcode != 40003 || !failed.Final {
			t.Errorf("failed %+v, %v", failed, err)
		}
		retried, err := g.admin.Retry(ctx, refused.ID)
		if err != nil || retried.RetryOf == nil || *retried.RetryOf != refused.ID || retried.ID == refused.ID {
			t.Errorf("retried %+v, %v", retried, err)
		}
		_, err = g.admin.Message(ctx, "msg_0")
		wantProblem(t, err, 404, "unknown_message")
	})
}

func TestPausedAccountShowsItsMessagesAsHeld(t *testing.T) {
	g := newGateway(t)
	g.seed()
	account, err := g.admin.PauseAccount(t.Context(), "shop")
	if err != nil || len(account.Holds) != 1 || account.Holds[0].Reason != "paused" {
		t.Fatalf("paused account %+v, %v", account, err)
	}
	sent, err := g.admin.Send(t.Context(), order(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.admin.Message(t.Context(), sent.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != "held" || got.Reason != "paused" || got.Hold == nil || got.Hold.Reason != "paused" || got.Hold.Release == "" {
		t.Errorf("message %+v, want it held with reason and release", got)
	}
	_, err = g.admin.Release(t.Context(), sent.ID)
	if p := wantProblem(t, err, 409, "account_held"); p.Detail != "message "+sent.ID+" is held with its account (paused) and cannot be released. Resume the account instead." {
		t.Errorf("detail %q", p.Detail)
	}
	account, err = g.admin.ResumeAccount(t.Context(), "shop")
	if err != nil || len(account.Holds) != 0 {
		t.Errorf("resumed account %+v, %v", account, err)
	}
}
