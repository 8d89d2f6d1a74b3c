package phone

import (
	"strings"

	"hongyan/sandbox"
)

// seedSecrets are the AppSecrets that docs/sandbox.md prints; those of other
// accounts the reader has to know himself.
var seedSecrets = map[string]string{
	sandbox.SeedServiceAppID: sandbox.SeedServiceSecret,
	sandbox.SeedMiniAppID:    sandbox.SeedMiniSecret,
}

// shell is the exchange's command with the variables it needs before it. The token
// comes from stable_token, which leaves everybody else's token as it is.
func (v view) shell(e sandbox.Exchange) string {
	lines := []string{"BASE=" + v.base}
	needsToken := strings.Contains(e.Curl, "$TOKEN")
	if needsToken || strings.Contains(e.Curl, "$SECRET") {
		lines = append(lines, "SECRET="+seedSecrets[e.AppID])
	}
	if needsToken {
		lines = append(lines, tokenLine(e.AppID))
	}
	return strings.Join(append(lines, e.Curl), "\n")
}

func tokenLine(appid string) string {
	return `TOKEN=$(curl -s "$BASE/cgi-bin/stable_token" -d '{"grant_type":"client_credential","appid":"` + appid +
		`","secret":"'"$SECRET"'"}' | sed 's/.*access_token":"\([^"]*\).*/\1/')`
}

// tryIt puts a message on the user's phone.
func (v view) tryIt() string {
	return strings.Join([]string{
		"BASE=" + v.base, "SECRET=" + sandbox.SeedServiceSecret, tokenLine(sandbox.SeedServiceAppID),
		`curl -s "$BASE/cgi-bin/message/template/send?access_token=$TOKEN" -H 'Content-Type: application/json' -d '{"touser":"` + v.User +
			`","template_id":"` + sandbox.SeedTemplateOrder + `","url":"https://shop.example.com/o/1001",` +
			`"data":{"character_string1":{"value":"A1001"},"thing2":{"value":"巧克力"},"amount3":{"value":"￥39.80"},"time4":{"value":"2026-11-20 10:15"}}}'`,
	}, "\n")
}
