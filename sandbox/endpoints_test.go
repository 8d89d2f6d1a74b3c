package sandbox

import (
	"os"
	"strings"
	"testing"
)

func TestEveryPathIsInTheDocumentAndKnownToTheQuotas(t *testing.T) {
	doc, err := os.ReadFile("../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	for path, ep := range endpoints {
		if !strings.Contains(string(doc), "`"+path+"`") {
			t.Errorf("docs/sandbox.md lacks %s", path)
		}
		if _, known := apis[path]; ep.needsToken && !known {
			t.Errorf("%s has no entry among the APIs: who may call it, how often?", path)
		}
	}
	for path := range apis {
		if _, served := endpoints[path]; !served {
			t.Errorf("%s is an API that nobody serves", path)
		}
	}
}
