package api

import (
	"cmp"
	"context"
	"math"

	"hongyan"
	"hongyan/client"
	"hongyan/mini"
)

type convertInput struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	TemplateID string `path:"template_id" doc:"The old template, by template_id or alias. It need not be registered when the body has its content."`
	Body       body[client.TemplateOld]
}

// convertTemplate proposes subscribe templates for an old mini program template.
func (a *API) convertTemplate(ctx context.Context, in *convertInput) (*out[client.Conversion], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	old := mini.Old{Title: in.Body.Value.Title, Content: in.Body.Value.Content, Example: in.Body.Value.Example}
	id, err := a.cfg.Engine.TemplateID(ctx, account.AppID, in.TemplateID)
	if err != nil {
		return nil, err
	}
	known, err := a.cfg.Store.Template(ctx, account.AppID, id)
	if err != nil && (!hongyan.IsKind(err, hongyan.NotFound) || old.Content == "") {
		return nil, err
	}
	old = mini.Old{Title: cmp.Or(old.Title, known.Title), Content: cmp.Or(old.Content, known.Content), Example: cmp.Or(old.Example, known.Example)}
	if len(old.Content) > maxTemplateText || len(old.Example) > maxTemplateText || len(old.Title) > maxTemplateText {
		return nil, badField("invalid_template", "/content", "title, content and example must each have at most %d bytes", maxTemplateText)
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	c, err := a.cfg.Mini.Convert(ctx, &account, old)
	if err != nil {
		return nil, err
	}
	return &out[client.Conversion]{viewConversion(&c)}, nil
}

func viewConversion(c *mini.Conversion) client.Conversion {
	v := client.Conversion{Lines: []client.ConversionLine{}, Held: []client.Successor{}, Library: []client.Successor{}, Notes: append([]string{}, c.Notes...)}
	for _, l := range c.Lines {
		v.Lines = append(v.Lines, client.ConversionLine(l))
	}
	for i := range c.Held {
		v.Held = append(v.Held, viewSuccessor(&c.Held[i]))
	}
	for i := range c.Library {
		v.Library = append(v.Library, viewSuccessor(&c.Library[i]))
	}
	return v
}

func viewSuccessor(s *mini.Successor) client.Successor {
	v := client.Successor{
		KIDList: append([]int{}, s.KIDs...), Title: s.Title, Type: templateTypeWord(s.Type), Fits: math.Round(100*s.Fits) / 100,
		Mapping: s.Mapping, Sample: s.Sample, Unmapped: append([]string{}, s.Unmapped...), Missing: append([]string{}, s.Missing...),
	}
	if s.TID != 0 {
		v.TID = &s.TID
	} else {
		v.TemplateID = &s.TemplateID
	}
	return v
}
