package wechat

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// readRows splits a tab-separated file under testdata.
func readRows(t *testing.T, name string, columns int) [][]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(raw)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(row) != columns {
			t.Fatalf("%s: %q has %d columns, want %d", name, line, len(row), columns)
		}
		rows = append(rows, row)
	}
	return rows
}

func mustAtoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFoundingTables proves S24 and S36: each row the founding documents print,
// with its odd codes (K1 to K6), is found under the code as printed and carries
// the printed label as its meaning or its historic label.
func TestFoundingTables(t *testing.T) {
	tests := []struct {
		file           string
		rows, distinct int
	}{
		{"codes_wiki_2014.tsv", 38, 34},
		{"codes_guide.tsv", 38, 38},
	}
	for _, tt := range tests {
		rows := readRows(t, tt.file, 2)
		seen := map[string]bool{}
		for _, row := range rows {
			printed, label := row[0], row[1]
			seen[printed] = true
			info, ok := LookupCode(mustAtoi(t, printed))
			if !ok {
				t.Errorf("%s: code %s is not found", tt.file, printed)
				continue
			}
			if info.HistoricLabelZH != label && !strings.HasPrefix(info.MeaningZH, label) {
				t.Errorf("%s: code %s means %q, historically %q; the document prints %q",
					tt.file, printed, info.MeaningZH, info.HistoricLabelZH, label)
			}
		}
		if len(rows) != tt.rows || len(seen) != tt.distinct {
			t.Errorf("%s: got %d rows with %d codes, want %d with %d", tt.file, len(rows), len(seen), tt.rows, tt.distinct)
		}
	}
}

func TestLookupFollowsTodayWhereDocumentsDisagree(t *testing.T) {
	tests := []struct {
		name     string
		code     int
		want     Code
		class    Class
		historic string
	}{
		{"K1 a six-digit misprint is the five-digit code", 400010, CodeInvalidVoiceSize, ClassRequest, ""},
		{"K1 the misprint of the appid code", 400013, CodeInvalidAppID, ClassAccount, ""},
		{"K2 42001 is an expired token", 42001, CodeAccessTokenExpired, ClassToken, "GET required"},
		{"K2 43001 is the GET code", 43001, CodeRequireGET, ClassRequest, ""},
		{"K3 41006 is a missing media id", 41006, CodeMediaIDMissing, ClassRequest, "access_token timeout"},
		{"K4 40001 is a dead token", 40001, CodeInvalidCredential, ClassToken, "verification failed"},
		{"K6 a code only the guide prints", 45009, CodeDailyQuota, ClassQuota, ""},
		{"K6 a code neither document prints", 47003, CodeArgumentInvalid, ClassRequest, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := LookupCode(tt.code)
			if !ok || got.Code != tt.want || got.Class != tt.class || got.HistoricLabel != tt.historic {
				t.Errorf("LookupCode(%d) = %d, %v, %q, %v; want %d, %v, %q", tt.code,
					got.Code, got.Class, got.HistoricLabel, ok, tt.want, tt.class, tt.historic)
			}
		})
	}
}

var classWords = map[string]Class{
	"success": ClassSuccess, "retry-token": ClassToken, "retry-transient": ClassTransient,
	"retry-later-quota": ClassQuota, "form-id": ClassForm, "permanent-request": ClassRequest,
	"permanent-recipient": ClassRecipient, "permanent-template": ClassTemplate, "permanent-account": ClassAccount,
}

// TestTableAgreesWithSpec compares code, wire text and class with the protocol
// specification's own table, row by row and in both directions.
func TestTableAgreesWithSpec(t *testing.T) {
	rows := readRows(t, "errcodes.tsv", 3)
	want := map[int]bool{}
	for _, row := range rows {
		code := mustAtoi(t, row[0])
		if code >= 400010 && code <= 400013 {
			continue // misprints, see TestFoundingTables
		}
		want[code] = true
		info, ok := LookupCode(code)
		if !ok {
			t.Errorf("code %d is missing", code)
			continue
		}
		text, class := row[1], classWords[row[2]]
		if strings.HasPrefix(text, "(") {
			text = ""
		}
		if code == 45108 {
			class = ClassUnknown // no source gives it a meaning
		}
		if info.Text != text || info.Class != class {
			t.Errorf("code %d is %q, %v; want %q, %v", code, info.Text, info.Class, text, class)
		}
	}
	for _, info := range Codes() {
		if !want[int(info.Code)] {
			t.Errorf("code %d is not in the specification", info.Code)
		}
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	needsOwnHint := []Class{ClassToken, ClassQuota, ClassAccount, ClassTemplate, ClassRecipient, ClassForm}
	for _, info := range Codes() {
		for what, text := range map[string]string{"Meaning": info.Meaning, "MeaningZH": info.MeaningZH,
			"Hint": info.Hint, "HintZH": info.HintZH} {
			if text == "" {
				t.Errorf("code %d has no %s", info.Code, what)
			}
		}
		general, _ := info.Class.Hint()
		if slices.Contains(needsOwnHint, info.Class) && info.Hint == general {
			t.Errorf("code %d, class %v, has only the general hint", info.Code, info.Class)
		}
	}
}

func TestCodesAscendAndAreCopies(t *testing.T) {
	codes := Codes()
	if !slices.IsSortedFunc(codes, func(a, b CodeInfo) int { return int(a.Code - b.Code) }) {
		t.Error("Codes() is not in ascending order")
	}
	info, _ := LookupCode(400010)
	info.Aliases[0], info.Endpoints[0] = 1, "changed"
	again, ok := LookupCode(400010)
	if !ok || again.Aliases[0] != 400010 || again.Endpoints[0] == "changed" {
		t.Errorf("a caller changed the table: %+v", again)
	}
	if _, ok := LookupCode(12345678); ok {
		t.Error("LookupCode(12345678) found something")
	}
}

func TestClassOf(t *testing.T) {
	tests := []struct {
		name string
		ep   Endpoint
		code Code
		want Class
	}{
		{"zero is success", EndpointTemplateSend, CodeOK, ClassSuccess},
		{"wrong appid while fetching a token", EndpointToken, CodeInvalidAppID, ClassAccount},
		{"wrong appid while fetching a stable token", EndpointStableToken, CodeInvalidAppID, ClassAccount},
		{"mini program not linked", EndpointTemplateSend, CodeInvalidAppID, ClassRequest},
		{"dead token on a send", EndpointTemplateSend, CodeInvalidCredential, ClassToken},
		{"wrong secret while fetching a token", EndpointToken, CodeInvalidCredential, ClassAccount},
		{"wrong appid while clearing by secret", EndpointClearQuotaV2, CodeInvalidAppID, ClassAccount},
		{"wrong secret while clearing by secret", EndpointClearQuotaV2, CodeInvalidCredential, ClassAccount},
		{"another account's appid while clearing by token", EndpointClearQuota, CodeInvalidAppID, ClassRequest},
		{"dead token while clearing by token", EndpointClearQuota, CodeInvalidCredential, ClassToken},
		{"no permission stops the account", EndpointTemplateSend, CodeAPIUnauthorized, ClassAccount},
		{"a duplicate is never repeated", EndpointTemplateSend, CodeDuplicate60s, ClassRequest},
		{"a message in review is never repeated", EndpointTemplateSend, CodeInReview, ClassRequest},
		{"busy", EndpointTemplateSend, CodeSystemError, ClassTransient},
		{"day's quota", EndpointTemplateSend, CodeDailyQuota, ClassQuota},
		{"too often to one person", EndpointTemplateSend, CodeRecipientTooFrequent, ClassQuota},
		{"form id", EndpointMiniTemplateSend, CodeInvalidFormID, ClassForm},
		{"not a follower", EndpointTemplateSend, CodeRequireSubscribe, ClassRecipient},
		{"template gone", EndpointTemplateSend, CodeInvalidTemplateID, ClassTemplate},
		{"a code nobody knows", EndpointTemplateSend, 98765, ClassUnknown},
		{"undocumented", EndpointTemplateSend, 45108, ClassUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ClassOf(tt.ep, tt.code); got != tt.want {
				t.Errorf("ClassOf(%s, %d) = %v, want %v", tt.ep, tt.code, got, tt.want)
			}
		})
	}
}

func TestClassWords(t *testing.T) {
	want := "success token transient quota form request recipient template account unknown not_sent no_answer"
	var got []string
	for c := ClassSuccess; c <= ClassNoAnswer; c++ {
		got = append(got, c.String())
		if en, zh := c.Hint(); en == "" || zh == "" {
			t.Errorf("class %v has no hint in both languages", c)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("classes are %q, want %q", strings.Join(got, " "), want)
	}
}

// TestErrcodesDocument prints docs/errcodes.md.
func TestErrcodesDocument(t *testing.T) {
	checkGolden(t, "../docs/errcodes.md", printCodes())
}

func printCodes() []byte {
	var b bytes.Buffer
	b.WriteString("# WeChat's return codes (微信返回码)\n\n" +
		"Printed from the table in package `wechat`; change the table, then run\n" +
		"`go test ./wechat -run TestErrcodesDocument -update`.\n\n" +
		"The platform's own list: <https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html>\n\n" +
		"## Classes\n\n| Class | What to do | 处理办法 |\n| --- | --- | --- |\n")
	for c := ClassSuccess; c <= ClassNoAnswer; c++ {
		en, zh := c.Hint()
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c, en, zh)
	}
	b.WriteString("\n`not_sent` and `no_answer` are classes without a code: no answer came.\n\n" +
		"The class holds for most endpoints. 40013 is `account` on the token endpoints and `request` elsewhere;\n" +
		"40001 is `account` on the token endpoints and `token` elsewhere.\n\n## Codes\n")
	for _, info := range Codes() {
		printCode(&b, info)
	}
	return b.Bytes()
}

func printCode(b *bytes.Buffer, info CodeInfo) {
	fmt.Fprintf(b, "\n### %d\n\n", info.Code)
	if info.Text != "" {
		fmt.Fprintf(b, "`%s`\n\n", info.Text)
	}
	fmt.Fprintf(b, "- Class: `%s`\n- %s.\n- %s\n- Hint: %s\n- 建议：%s\n", info.Class,
		strings.TrimSuffix(info.Meaning, "."), info.MeaningZH, info.Hint, info.HintZH)
	if info.HistoricLabel != "" {
		fmt.Fprintf(b, "- In documents of about 2014: %s (%s)\n", info.HistoricLabel, info.HistoricLabelZH)
	}
	for _, alias := range info.Aliases {
		fmt.Fprintf(b, "- Misprinted in old documents as %d\n", alias)
	}
	if len(info.Endpoints) > 0 {
		fmt.Fprintf(b, "- From: %s\n", strings.Join(info.Endpoints, ", "))
	}
}
