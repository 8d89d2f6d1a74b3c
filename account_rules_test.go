package hongyan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// good is an account that breaks no rule.
func good() Account {
	return Account{AppID: "wx0f1e2d3c4b5a6978", Kind: ServiceAccount, Secret: "5ec2e75ec2e75ec2e75ec2e75ec2e75e"}
}

func TestCheckNamesEveryBrokenRule(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Account)
		want   []string // pointers
	}{
		{"nothing wrong", func(*Account) {}, nil},
		{"no AppSecret: it may be stored elsewhere", func(a *Account) { a.Secret = "" }, nil},
		{"an AppSecret of another length: WeChat promises none", func(a *Account) { a.Secret = a.Secret[1:] }, nil},
		{"an AppSecret that is a whole file", func(a *Account) { a.Secret = Secret(strings.Repeat("a", maxSecretLen+1)) }, []string{"/secret"}},
		{"an AppSecret with a space", func(a *Account) { a.Secret = a.Secret[1:] + " " }, []string{"/secret"}},
		{"several, in order", func(a *Account) {
			a.Alias, a.AppID, a.RatePerSecond, a.Name = "A B", "wx1", 1e9, strings.Repeat("鸿", 65)
		},
			[]string{"/alias", "/appid", "/name", "/rate/per_second"}},
		{"safe mode without its secrets", func(a *Account) { a.Callback.Mode = "safe" }, []string{"/callback/aes_key", "/callback/token"}},
		{"words that are none", func(a *Account) { a.Kind, a.TokenSource, a.UncertainPolicy = "servce", "push", "ask" },
			[]string{"/kind", "/token_source", "/uncertain_policy"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := good()
			tt.change(&a)
			var got []string
			for _, f := range a.Check() {
				got = append(got, f.Pointer)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("pointers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckRepeatsNoSecret(t *testing.T) {
	const secret = "hunter2!"
	a := good()
	a.Secret, a.Callback = secret, Callback{Token: secret, AESKey: secret}
	a.BaseURL = "https://user:" + secret + "@api.weixin.qq.com"
	broken := a.Check()
	if len(broken) != 4 {
		t.Errorf("got %v, want 4 broken rules", broken)
	}
	for _, f := range broken {
		if strings.Contains(f.Detail, secret) {
			t.Errorf("%s repeats the secret: %s", f.Pointer, f.Detail)
		}
	}
}

// A URL that is none may have its password anywhere.
func TestABaseURLThatIsNoneIsNotRepeated(t *testing.T) {
	for _, url := range []string{
		"admin:s3cret@proxy.example", "https:admin:s3cret@h", "https:/admin:s3cret@h", "https://h/?token=s3cret", "ftp:s3cret",
	} {
		a := good()
		a.BaseURL = url
		broken := a.Check()
		if len(broken) != 1 || strings.Contains(broken[0].Detail, "s3cret") {
			t.Errorf("%s: got %v, want one rule broken and no secret repeated", url, broken)
		}
	}
}

func TestOneOfWritesWords(t *testing.T) {
	for value, want := range map[string]string{
		"hold":   "",
		"resent": `"resent" is not one of hold, resend, give_up; did you mean "resend"?`,
		"x":      `"x" is not one of hold, resend, give_up`,
	} {
		if got := OneOf(value, "", "hold", "resend", "give_up"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
