package main

import (
	"context"
	"strings"

	"hongyan/client"
)

type keyCommands struct {
	Create keyCreate `cmd:"" help:"Make an API key or a gateway secret. It is shown once."`
	List   keyList   `cmd:"" help:"List keys, revoked ones too."`
	Revoke keyRevoke `cmd:"" help:"End a key at once."`
}

type keyCreate struct {
	gatewayFlags `embed:""`
	Name         string   `arg:"" optional:"" help:"Who uses it."`
	NameFlag     string   `name:"name" placeholder:"NAME" help:"The same, as a flag."`
	Kind         string   `default:"api" enum:"api,gateway" help:"api: a key of the gateway's own API. gateway: a secret in place of the AppSecret, for programs that speak WeChat's API; default ${default}."`
	Role         string   `default:"sender" enum:"admin,sender,reader" help:"reader reads, sender also sends and acts on messages, admin does everything; default ${default}, and nothing else for kind gateway."`
	Personal     bool     `help:"A reader that sees openids, values of messages and bodies of pushes; else they are masked."`
	AppID        []string `name:"appid" aliases:"account" placeholder:"APPID" help:"An account it may act on; may be repeated; default all."`
}

// keyFlags says which flag a field of a key comes from.
var keyFlags = flagNames{"/name": "NAME", "/kind": "--kind", "/role": "--role", "/appids": "--appid"}

func (c *keyCreate) Run(ctx context.Context, w *surroundings) error {
	if (c.Name == "") == (c.NameFlag == "") {
		return wrongUse("hongyan key create NAME", "a key needs one name, for people: who uses it")
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	k, err := gateway.CreateKey(ctx, client.KeyRequest{Name: c.Name + c.NameFlag, Kind: c.Kind, Role: c.Role, AppIDs: c.AppID, Personal: c.Personal})
	if err != nil {
		return keyFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(k)
	}
	out := w.out()
	out.line("%s", k.Key)
	out.line("%s is shown this once; only its hash is kept", k.ID)
	if c.Kind == "gateway" {
		out.line("use it as the SDK's AppSecret, with %s in place of https://api.weixin.qq.com", gateway.BaseURL)
		out.next("hongyan key list")
		return nil
	}
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
		rows[i] = []cell{text(k.ID), text(k.Name), text(k.Kind), text(k.Hint + "…"), text(k.Role), text(accountsWords(k.AppIDs)), timeCell(k.LastUsedAt), keyStateCell(k)}
	}
	out.table([]string{"ID", "NAME", "KIND", "KEY", "ROLE", "ACCOUNTS", "LAST USED", "STATE"}, rows)
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
