package sandbox

// PromptTemplate is a subscribe template as a prompt (订阅弹窗) lists it.
type PromptTemplate struct {
	TemplateID, Title string
	LongTerm          bool
}

// Prompt returns what account appid can ask its users to subscribe to, in the
// order the templates were added; nothing for an unknown account.
func (s *Sandbox) Prompt(appid string) []PromptTemplate {
	defer s.unlock()
	out := []PromptTemplate{}
	a := s.lock().accounts[appid]
	if a == nil {
		return out
	}
	for _, t := range a.templates {
		if t.family == familySubscribe {
			out = append(out, PromptTemplate{t.id, t.title, t.longTerm})
		}
	}
	return out
}
