package api

import (
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// problemPath starts the type of every problem, and the path of its page.
const problemPath = "/problems/"

// wechatCodePrefix starts the codes that stand for an errcode of WeChat's.
const wechatCodePrefix = "wechat_"

// codeInfo explains one code to people, in English and Chinese.
type codeInfo struct {
	status           int // the usual one
	fixed            bool
	title, titleZH   string
	means, meansZH   string
	remedy, remedyZH string
}

// problemCodes are the codes that problems may have, the eight kinds included.
var problemCodes = joinCodes(kindCodes, jsonCodes, requestCodes, accessCodes, messageCodes, stateCodes, accountCodes, passingCodes, batchCodes, miniCodes, careCodes)

func joinCodes(tables ...map[string]codeInfo) map[string]codeInfo {
	all := map[string]codeInfo{}
	for _, table := range tables {
		for code, info := range table {
			all[code] = info
		}
	}
	return all
}

// explainCode returns title and status of a code. A fixed status is the code's
// own; any other code has the status of the kind it comes with.
func explainCode(code string, kind hongyan.Kind) codeInfo {
	info, known := lookupCode(code)
	if !known {
		info.title = problemCodes[kind.String()].title
	}
	if !info.fixed {
		info.status = kindStatus[kind]
	}
	return info
}

// lookupCode finds what is known of a code, WeChat's errcodes included.
func lookupCode(code string) (codeInfo, bool) {
	if info, ok := problemCodes[code]; ok {
		return info, true
	}
	digits, ok := strings.CutPrefix(code, wechatCodePrefix)
	if !ok {
		return codeInfo{}, false
	}
	errcode, err := strconv.Atoi(digits)
	if err != nil {
		return codeInfo{}, false
	}
	info := codeInfo{title: "WeChat refused (errcode " + digits + ")", titleZH: "微信拒绝（错误码 " + digits + "）"}
	if theirs, ok := wechat.LookupCode(errcode); ok {
		info.means, info.meansZH = theirs.Meaning, theirs.MeaningZH
		info.remedy, info.remedyZH = theirs.Hint, theirs.HintZH
		return info, true
	}
	info.means, info.meansZH = "WeChat answered with a code that is in no known list.", "微信返回了一个未收录的错误码。"
	info.remedy, info.remedyZH = "Look the code up in WeChat's documents, or with the rid in its console.", "请在微信文档中查询该错误码，或在微信后台用 rid 查询。"
	return info, true
}

//go:embed problem.html
var problemSource string

var problemTemplate = template.Must(template.New("problem").Parse(problemSource))

// problemView is what problem.html shows.
type problemView struct {
	Code                                             string
	Status                                           int
	Title, TitleZH, Means, MeansZH, Remedy, RemedyZH string
}

// problemPage explains one code.
func (a *API) problemPage(w http.ResponseWriter, r *http.Request) {
	code := clip(r.PathValue("code"))
	status := http.StatusOK
	info, known := lookupCode(code)
	if !known {
		status = http.StatusNotFound
		info = codeInfo{title: "Unknown code", titleZH: "未知代码",
			means: "There is no such code in this version.", meansZH: "当前版本没有这个代码。",
			remedy: "See the list in /docs.", remedyZH: "请查看 /docs 中的列表。"}
	}
	var page strings.Builder
	err := problemTemplate.Execute(&page, problemView{
		Code: code, Status: info.status, Title: info.title, TitleZH: info.titleZH,
		Means: info.means, MeansZH: info.meansZH, Remedy: info.remedy, RemedyZH: info.remedyZH,
	})
	if err != nil {
		a.writeError(w, r, err)
		return
	}
	servePage(w, status, []byte(page.String()))
}
