package phone

import (
	"fmt"
	"net/http"
	"strings"
)

// language is the language of the page; WeChat's own words on the phone follow it,
// the messages do not.
type language int

const (
	chinese language = iota
	english
)

var languages = []language{chinese, english}

func (l language) tag() string {
	if l == english {
		return "en"
	}
	return "zh-CN"
}

// Cookies that keep what a reader chose. They hold no secret.
const (
	languageCookie = "hongyan_lang"
	themeCookie    = "hongyan_theme"
)

// Themes: auto follows the reader's system.
var themes = []string{"auto", "light", "dark"}

// languageOf is what the reader chose, or what the browser asks for. Chinese is
// the default, being the language of WeChat.
func languageOf(r *http.Request) language {
	if c, err := r.Cookie(languageCookie); err == nil {
		if l, ok := parseLanguage(c.Value); ok {
			return l
		}
	}
	// Browsers list languages by preference, with weights that only ever fall.
	for tag := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ = strings.Cut(tag, ";")
		if l, ok := parseLanguage(strings.TrimSpace(tag)); ok {
			return l
		}
	}
	return chinese
}

func parseLanguage(tag string) (language, bool) {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	switch primary {
	case "zh":
		return chinese, true
	case "en":
		return english, true
	}
	return chinese, false
}

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil {
		return oneOf(c.Value, themes...)
	}
	return themes[0]
}

// say is the text of a key, filled in like fmt.Sprintf. An unknown key is an
// error, which the tests of the pages meet.
func (l language) say(key string, args ...any) (string, error) {
	w, ok := words[key]
	if !ok {
		return "", fmt.Errorf("phone: no text for %q", key)
	}
	text := w[l]
	if len(args) > 0 {
		text = fmt.Sprintf(text, args...)
	}
	return text, nil
}

// text is say for keys that are written in Go.
func (l language) text(key string, args ...any) string {
	text, err := l.say(key, args...)
	if err != nil {
		panic(err) // a constant of this package
	}
	return text
}
