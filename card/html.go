package card

import (
	"embed"
	"html/template"
	"strings"

	"hongyan/wechat"
)

//go:embed card.html page.html
var templateFiles embed.FS

//go:embed card.css
var cardCSS string

//go:embed page.css
var pageCSS string

var page = template.Must(Parse(template.New("")).ParseFS(templateFiles, "page.html"))

// Parse adds to t the templates "card-strip", "card-body" and "ink", which take a Face, or
// what has its fields. It panics when t has other templates of those names that were executed.
func Parse(t *template.Template) *template.Template {
	return template.Must(t.ParseFS(templateFiles, "card.html"))
}

// CSS is the style sheet of those templates. It uses the colours --wx-card, --wx-grey,
// --wx-pale and --wx-line of the page around them.
func CSS() string { return cardCSS }

// Page is a card to be shown by itself.
type Page struct {
	Face   Face
	Era    wechat.Era
	Sender string // in the head of a card of style Mini; "" = no head
	Foot   string // text of the last row; "" = none
}

// HTML draws a card as a whole document that loads nothing from elsewhere.
func HTML(p Page) (string, error) {
	if p.Face.Style != Mini {
		p.Sender = ""
	}
	var b strings.Builder
	err := page.ExecuteTemplate(&b, "page", struct {
		Page
		CSS template.CSS
	}{p, template.CSS(pageCSS + cardCSS)})
	return b.String(), err
}
