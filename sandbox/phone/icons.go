package phone

import "html/template"

// icons are drawn in the colour of the text around them.
var icons = func() map[string]template.HTML {
	line := func(paths string) template.HTML {
		return template.HTML(`<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + paths + `</svg>`)
	}
	solid := func(box, paths string) template.HTML {
		return template.HTML(`<svg class="icon" viewBox="0 0 ` + box + `" fill="currentColor" aria-hidden="true" focusable="false">` + paths + `</svg>`)
	}
	return map[string]template.HTML{
		"back":          line(`<path d="M15 4.5 7.5 12l7.5 7.5"/>`),
		"chevron":       line(`<path d="m9 5 7 7-7 7"/>`),
		"dots":          solid("24 24", `<circle cx="5" cy="12" r="1.9"/><circle cx="12" cy="12" r="1.9"/><circle cx="19" cy="12" r="1.9"/>`),
		"plus":          line(`<circle cx="12" cy="12" r="9"/><path d="M12 8v8M8 12h8"/>`),
		"search":        line(`<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4 4"/>`),
		"person":        line(`<circle cx="12" cy="8" r="4"/><path d="M4 20c1-4 4-6 8-6s7 2 8 6"/>`),
		"people":        line(`<circle cx="9" cy="8" r="3.5"/><path d="M2.5 19c.8-3.5 3-5.2 6.5-5.2s5.7 1.7 6.5 5.2M16 5a3.5 3.5 0 0 1 0 6.5M18 14.3c2 .7 3.2 2.3 3.7 4.7"/>`),
		"phone":         line(`<rect x="6.5" y="2.5" width="11" height="19" rx="2.5"/><path d="M11 18.5h2"/>`),
		"panel":         line(`<path d="m8 8-4 4 4 4M16 8l4 4-4 4M13.5 5l-3 14"/>`),
		"keyboard":      line(`<rect x="2.5" y="6" width="19" height="12" rx="2"/><path d="M6 10h.01M10 10h.01M14 10h.01M18 10h.01M7 14h10"/>`),
		"lock":          solid("24 24", `<path d="M7 10V8a5 5 0 0 1 10 0v2h.5A1.5 1.5 0 0 1 19 11.5v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 18.5v-7A1.5 1.5 0 0 1 6.5 10zm2 0h6V8a3 3 0 0 0-6 0z"/>`),
		"target":        line(`<circle cx="12" cy="12" r="8"/><circle cx="12" cy="12" r="3" fill="currentColor" stroke="none"/>`),
		"copy":          line(`<rect x="8.5" y="8.5" width="11" height="11" rx="2"/><path d="M15.5 8.5V6a1.5 1.5 0 0 0-1.5-1.5H6A1.5 1.5 0 0 0 4.5 6v8A1.5 1.5 0 0 0 6 15.5h2.5"/>`),
		"cross":         line(`<path d="m6 6 12 12M18 6 6 18"/>`),
		"clock":         line(`<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5l3.5 2"/>`),
		"call":          line(`<path d="M4 12h15M13 6l6 6-6 6"/>`),
		"push":          line(`<path d="M20 12H5M11 6l-6 6 6 6"/>`),
		"signal":        solid("18 12", `<rect x="0" y="8" width="3" height="4" rx=".8"/><rect x="5" y="5.5" width="3" height="6.5" rx=".8"/><rect x="10" y="3" width="3" height="9" rx=".8"/><rect x="15" y="0" width="3" height="12" rx=".8"/>`),
		"wifi":          solid("16 12", `<path d="M8 2.6c2.2 0 4.2.9 5.7 2.3l1.1-1.2A9.8 9.8 0 0 0 8 1a9.8 9.8 0 0 0-6.8 2.7l1.1 1.2A8.2 8.2 0 0 1 8 2.6zm0 3.5c1.3 0 2.4.5 3.3 1.3l1.2-1.2A6.5 6.5 0 0 0 8 4.4c-1.7 0-3.3.7-4.5 1.8l1.2 1.2c.9-.8 2-1.3 3.3-1.3zM10.2 8.5 8 11 5.8 8.5a3.2 3.2 0 0 1 4.4 0z"/>`),
		"battery":       solid("27 12", `<path d="M3.5 0h17A3.5 3.5 0 0 1 24 3.5v5a3.5 3.5 0 0 1-3.5 3.5h-17A3.5 3.5 0 0 1 0 8.5v-5A3.5 3.5 0 0 1 3.5 0zm0 1A2.5 2.5 0 0 0 1 3.5v5A2.5 2.5 0 0 0 3.5 11h17A2.5 2.5 0 0 0 23 8.5v-5A2.5 2.5 0 0 0 20.5 1z" opacity=".45"/><rect x="2" y="2" width="16" height="8" rx="1.8"/><path d="M25 4v4a2.2 2.2 0 0 0 0-4z" opacity=".5"/>`),
		"theme-auto":    line(`<circle cx="12" cy="12" r="8.5"/><path d="M12 3.5v17a8.5 8.5 0 0 0 0-17z" fill="currentColor"/>`),
		"theme-light":   line(`<circle cx="12" cy="12" r="4"/><path d="M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4"/>`),
		"theme-dark":    line(`<path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"/>`),
		"dock-chats":    solid("24 24", `<path d="M12 4c5 0 9 3.3 9 7.4s-4 7.4-9 7.4c-1.1 0-2.2-.2-3.2-.5L5 20.2l.9-3.2C4.1 15.6 3 13.6 3 11.4 3 7.3 7 4 12 4z"/>`),
		"dock-contacts": line(`<circle cx="10" cy="8" r="3.7"/><path d="M3.5 19.5c.5-4 2.8-6 6.5-6s6 2 6.5 6zM17 8h4M17 11.5h4M18.5 15h2.5"/>`),
		"dock-discover": line(`<circle cx="12" cy="12" r="9"/><path d="m15.5 8.5-2 5-5 2 2-5z"/>`),
		"dock-me":       line(`<circle cx="12" cy="8" r="4.2"/><path d="M4 20.5c.6-4.5 3.4-6.5 8-6.5s7.4 2 8 6.5z"/>`),
	}
}()
