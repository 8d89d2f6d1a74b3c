package main

import (
	"context"
	"strings"

	"hongyan/client"
)

// secretFlags say where an AppSecret comes from.
type secretFlags struct {
	SecretFile string `placeholder:"FILE" help:"File with the AppSecret; - reads standard input."`
	Secret     string `help:"The AppSecret itself. Other users of the machine can see command lines: prefer --secret-file."`
}

func (f *secretFlags) given() bool { return f.Secret != "" || f.SecretFile != "" }

// maxSecretFile bounds what is read as a secret, in bytes.
const maxSecretFile = 4096

// read returns the AppSecret from where the flags say.
func (f *secretFlags) read(w *surroundings) (string, error) {
	if (f.Secret == "") == (f.SecretFile == "") {
		return "", wrongUse("give --secret-file FILE, or - to read it from standard input", "the AppSecret must come from exactly one place")
	}
	if f.Secret != "" {
		return f.Secret, nil
	}
	content, err := w.readNamed("--secret-file", f.SecretFile, maxSecretFile)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return "", wrongUse("write the AppSecret into it", "--secret-file %s is empty", f.SecretFile)
	}
	return secret, nil
}

type accountRotate struct {
	gatewayFlags   `embed:""`
	AppID          string `arg:"" name:"appid" help:"Appid or alias."`
	secretFlags    `embed:""`
	CallbackToken  string `placeholder:"TOKEN" help:"A new token (令牌) for pushes; the one before stays valid."`
	CallbackAESKey string `name:"callback-aes-key" placeholder:"KEY" help:"A new EncodingAESKey; the one before stays valid."`
}

func (accountRotate) Help() string {
	return "A new AppSecret is used at once: what was stopped for the old one (40125) leaves within a minute. " +
		"Callback secrets are changed here first and in WeChat's console after, so that no push is refused."
}

func (c *accountRotate) Run(ctx context.Context, w *surroundings) error {
	patch, err := c.patch(w)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	a, err := gateway.UpdateAccount(ctx, c.AppID, patch)
	if err != nil {
		return accountFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(a)
	}
	out := w.out()
	out.line("%s has its new secrets", a.AppID)
	out.next("hongyan account list")
	return nil
}

// patch holds the secrets that were given, and at least one.
func (c *accountRotate) patch(w *surroundings) (p client.AccountPatch, err error) {
	if !c.given() && c.CallbackToken == "" && c.CallbackAESKey == "" {
		return p, wrongUse("give --secret-file FILE, --callback-token or --callback-aes-key", "there is no new secret")
	}
	if c.given() {
		secret, err := c.read(w)
		if err != nil {
			return p, err
		}
		p.Secret = &secret
	}
	if c.CallbackToken != "" || c.CallbackAESKey != "" {
		p.Callback = new(client.CallbackInput)
	}
	if c.CallbackToken != "" {
		p.Callback.Token = &c.CallbackToken
	}
	if c.CallbackAESKey != "" {
		p.Callback.AESKey = &c.CallbackAESKey
	}
	return p, nil
}
