package main

import (
	"context"
	"strings"

	"hongyan/client"
)

type keyCommands struct {
	Create keyCreate `cmd:"" help:"Make an API key. It is shown once."`
	List   keyList   `cmd:"" help:"List keys, revoked ones too."`
	Revoke keyRevoke `cmd:"" help:"End a key at once."`
}

type keyCreate struct {
	gatewayFlags `embed:""`
	Name         string   `arg:"" help:"Who uses it."`
	Role         string   `default:"sender" enum:"admin,sender,reader" help:"reader reads, sender also sends and acts on messages, admin does everything; default ${default}."`
	AppID        []string `name:"appid" placeholder:"APPID" help:"An account it may act on; may be repeated; default all."`
}

func (c *keyCreate) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	k, err := gateway.CreateKey(ctx, client.KeyRequest{Name: c.Name, Role: c.Role, AppIDs: c.AppID})
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(k)
	}
	out := w.out()
	out.line("%s", k.Key)
	out.line("%s is shown this once; only its hash is kept", k.ID)
	out.next("HONGYAN_KEY=… hongyan message list")
	return nil
}

type keyList struct {
	gatewayFlags `embed:""`
}

func (c *keyList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Keys(ctx)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	rows := make([][]cell, len(list.Items))
	for i, k := range list.Items {
		rows[i] = []cell{text(k.ID), text(k.Name), text(k.Hint + "…"), text(k.Role), text(accountsWords(k.AppIDs)), timeCell(k.LastUsedAt), keyStateCell(k)}
	}
	out.table([]string{"ID", "NAME", "KEY", "ROLE", "ACCOUNTS", "LAST USED", "STATE"}, rows)
	out.next("hongyan key create NAME --role sender")
	return nil
}

func accountsWords(appIDs []string) string {
	if len(appIDs) == 0 {
		return "all"
	}
	return strings.Join(appIDs, ",")
}

func keyStateCell(k client.Key) cell {
	if k.RevokedAt != nil {
		return cell{"revoked", grey}
	}
	return text("valid")
}

type keyRevoke struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"The key's id, key_…."`
}

func (c *keyRevoke) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if err = gateway.RevokeKey(ctx, c.ID); err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(map[string]string{"id": c.ID, "state": "revoked"})
	}
	out := w.out()
	out.line("%s is revoked", c.ID)
	out.next("hongyan key list")
	return nil
}
