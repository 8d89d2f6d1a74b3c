package wechat

import "slices"

// Code is an errcode of the platform. Its meaning depends a little on the
// endpoint, see ClassOf.
type Code int

// CodeInfo explains one code. Texts are for people; nothing should match on them.
type CodeInfo struct {
	Code Code
	// Text is the errmsg seen on the wire without rid or hint; "" if none was
	// seen. Some name an example value, such as 40164's address.
	Text               string
	Meaning, MeaningZH string
	// Hint says cause and cure in one or two sentences.
	Hint, HintZH string
	// Class is the class on most endpoints; ClassOf knows the exceptions.
	Class Class
	// Endpoints names where the code comes from: paths, or families in words.
	Endpoints []string
	// Aliases are misprints of the code in old documents (K1).
	Aliases []int
	// HistoricLabel is what the platform's documents of about 2014 called the
	// code where that differs in substance (K2, K3, K4).
	HistoricLabel, HistoricLabelZH string
}

// codeIndex finds the row of a code or of one of its aliases, codeList has the
// rows in ascending order. Both are built once and only read afterwards.
var codeIndex, codeList = indexCodes(basicCodes, callCodes, limitCodes, accountCodes)

func indexCodes(tables ...[]CodeInfo) (map[Code]*CodeInfo, []CodeInfo) {
	list := slices.Concat(tables...)
	index := make(map[Code]*CodeInfo, len(list))
	for i := range list {
		info := &list[i]
		if info.Hint == "" {
			info.Hint, info.HintZH = info.Class.Hint()
		}
		index[info.Code] = info
		for _, alias := range info.Aliases {
			index[Code(alias)] = info
		}
	}
	return index, list
}

// LookupCode explains a code. It also knows the aliases 400010 to 400013 that an
// old page printed for 40010 to 40013; the CodeInfo then has the real code. The
// result is false for a code that no known source mentions.
func LookupCode(code int) (CodeInfo, bool) {
	info, ok := codeIndex[Code(code)]
	if !ok {
		return CodeInfo{}, false
	}
	return info.clone(), true
}

// Codes returns all known codes in ascending order, without the aliases.
func Codes() []CodeInfo {
	list := make([]CodeInfo, len(codeList))
	for i := range codeList {
		list[i] = codeList[i].clone()
	}
	return list
}

// clone keeps callers from changing the table through its slices.
func (info *CodeInfo) clone() CodeInfo {
	c := *info
	c.Endpoints, c.Aliases = slices.Clone(info.Endpoints), slices.Clone(info.Aliases)
	return c
}
