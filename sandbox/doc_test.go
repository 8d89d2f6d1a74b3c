package sandbox_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"hongyan/sandbox"
)

// jsonNames returns the JSON names of a struct, embedded ones included.
func jsonNames(v reflect.Type) []string {
	var names []string
	for f := range v.Fields() {
		if f.Anonymous {
			names = append(names, jsonNames(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func TestTheDocumentNamesEverythingThereIs(t *testing.T) {
	doc, err := os.ReadFile("../docs/sandbox.md")
	mustNil(t, err)
	want := []string{
		sandbox.SeedServiceAppID, sandbox.SeedMiniAppID, sandbox.SeedCallbackToken, sandbox.SeedAESKey,
		sandbox.SeedTemplateHistorical, sandbox.SeedTemplateOrder, sandbox.SeedTemplateQueue, sandbox.SeedTemplateMini,
		sandbox.SeedTemplateSubscribePickup, sandbox.SeedTemplateSubscribeRefund, sandbox.OpenID("", 1),
		"oBLOCK…", "oSYSFL…", "oFREQL…", "oNOFOL…", "oBADID…", "oFROZE…", "oNOEVT…", "oNOSUB…",
	}
	for _, v := range []any{sandbox.AccountSpec{}, sandbox.UserChange{}, sandbox.Fault{}, sandbox.Settings{}, sandbox.LedgerEntry{}, sandbox.InboxJump{},
		sandbox.Exchange{}, sandbox.SignatureInputs{}, sandbox.Notice{}, sandbox.UserView{}, sandbox.UserAccount{}, sandbox.Preset{}} {
		want = append(want, jsonNames(reflect.TypeOf(v))...)
	}
	for _, word := range want {
		if !strings.Contains(string(doc), word) {
			t.Errorf("docs/sandbox.md lacks %s", word)
		}
	}
}
