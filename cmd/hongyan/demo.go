package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hongyan/demo"
)

type demoCommand struct {
	Exit bool `help:"Leave when every message is as expected, within 40 seconds; exit code 1 when one is not."`
	JSON bool `name:"json" help:"Print one JSON object for each message and a summary, for programs."`
}

func (demoCommand) Help() string {
	return "Starts a gateway (port 7800 or the next free one) and a local WeChat (7900) in a temporary folder, with two service accounts, " +
		"a mini program and followers of every kind, and sends one message for each fate: delivered, refused, retried, deduplicated, held, expired … " +
		"Nothing leaves this machine. It stays up until Ctrl-C and removes its folder then.\n\n" +
		"With --exit it prints one line for each message: ok|WRONG  name  want=state/reason  got=state/reason  errcode=…"
}

const (
	// demoExitWithin bounds the whole of demo --exit; demoPlayWithin leaves it room to start and stop.
	demoExitWithin = 40 * time.Second
	demoPlayWithin = 33 * time.Second
)

func (c *demoCommand) Run(ctx context.Context, w *surroundings) error {
	began := time.Now()
	starting := ctx
	if c.Exit {
		limited, cancel := context.WithTimeout(ctx, demoExitWithin)
		defer cancel()
		starting = limited
	}
	world, err := demo.Start(starting, demo.Options{GatewayPort: 7800, SandboxPort: 7900})
	if err != nil {
		return err
	}
	err = c.play(ctx, w, world, began)
	return errors.Join(err, world.Close())
}

func (c *demoCommand) play(ctx context.Context, w *surroundings, world *demo.World, began time.Time) error {
	show := &liveTable{out: w.out(), silent: c.Exit || c.JSON}
	if !show.silent {
		c.where(w, world)
	}
	playing, cancel := context.WithTimeout(ctx, demoPlayWithin-time.Since(began))
	defer cancel()
	messages, err := world.Play(playing, show.changed)
	if ctx.Err() != nil { // Ctrl-C before the play was over: nothing can be said of what had not ended
		if c.Exit {
			return &commandError{what: "interrupted before every message had ended", cure: "run hongyan demo --exit again; it takes up to 40 seconds"}
		}
		return nil
	}
	if err != nil {
		return err
	}
	wrong := c.report(w, messages)
	if !c.Exit {
		c.afterwards(ctx, w, world)
	} else if wrong > 0 {
		return errSilent
	}
	return nil
}

// report prints how every message ended and returns how many are not as expected.
func (c *demoCommand) report(w *surroundings, messages []demo.Message) (wrong int) {
	for _, m := range messages {
		if !m.OK {
			wrong++
		}
	}
	right := len(messages) - wrong
	if c.JSON {
		e := json.NewEncoder(w.stdout)
		e.SetEscapeHTML(false)
		for _, m := range messages {
			e.Encode(m)
		}
		e.Encode(map[string]any{"summary": map[string]int{"messages": len(messages), "as_expected": right, "wrong": wrong}})
		return wrong
	}
	if c.Exit {
		for _, m := range messages {
			fmt.Fprintln(w.stdout, demoLine(m))
		}
	}
	fmt.Fprintf(w.stdout, "demo: %d of %d as expected\n", right, len(messages))
	return wrong
}

// demoLine is one message for --exit, in fields separated by two spaces.
func demoLine(m demo.Message) string {
	word := "ok   "
	if !m.OK {
		word = "WRONG"
	}
	line := fmt.Sprintf("%s  %-29s  want=%s  got=%s  errcode=%s", word, m.Name, fateWords(m.Want), fateWords(m.Got), errcodeCell(m.Errcode).text)
	if m.Note != "" {
		line += "  (" + m.Note + ")"
	}
	return line
}

// fateWords is state/reason, "-" standing for no reason.
func fateWords(f demo.Fate) string {
	if f.Reason == "" {
		return f.State + "/-"
	}
	return f.State + "/" + f.Reason
}

func (c *demoCommand) where(w *surroundings, world *demo.World) {
	out := w.out()
	out.line("%s  %s", out.paint(bold, "鸿雁 Hongyan demo"), out.paint(grey, "沙箱 Sandbox · not WeChat · "+world.Dir))
	out.line("gateway  %s   API documentation %s/docs", world.GatewayURL, world.GatewayURL)
	out.line("sandbox  %s   phone %s/   control API %s/sandbox/v1/ledger", world.SandboxURL, world.SandboxURL, world.SandboxURL)
	out.line("")
}

// afterwards stays up until Ctrl-C.
func (c *demoCommand) afterwards(ctx context.Context, w *surroundings, world *demo.World) {
	if !c.JSON {
		out := w.out()
		out.line("")
		c.where(w, world)
		out.line("a rule greets who follows: on the phone, let %s… leave 鸿雁商城 and follow again, and the card arrives", demo.Follower()[:12])
		out.line("规则“关注即发”：在手机上让该用户取消关注再关注，卡片即到；hongyan rule show shop %s", demo.Rule)
		out.next("HONGYAN_URL=%s HONGYAN_DATA=%s hongyan message list", world.GatewayURL, world.Dir)
		out.line("%s", out.paint(grey, "Ctrl-C stops the demo and removes its folder"))
	}
	<-ctx.Done()
}
