package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"hongyan/client"
)

type templateCategories struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *templateCategories) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Categories(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	rows := make([][]cell, len(list.Items))
	for i, category := range list.Items {
		rows[i] = []cell{text(strconv.Itoa(category.ID)), text(category.Name)}
	}
	out := w.out()
	out.table([]string{"ID", "CATEGORY"}, rows)
	out.next("hongyan template library %s", c.AppID)
	return nil
}

type templateLibrary struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	TID          int    `arg:"" name:"tid" optional:"" help:"A template of the library: shows the keywords it may have."`
	Category     []int  `placeholder:"ID" help:"Only templates of this category; may be repeated."`
	Start        int    `placeholder:"N" help:"From the Nth title on, counted from 0."`
	Limit        int    `default:"30" help:"Titles to show, at most 30; default ${default}."`
}

func (c *templateLibrary) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if c.TID != 0 {
		return c.keywords(ctx, w, gateway)
	}
	page, err := gateway.Library(ctx, c.AppID, c.Category, c.Start, c.Limit)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(page)
	}
	rows := make([][]cell, len(page.Items))
	for i, t := range page.Items {
		rows[i] = []cell{text(strconv.Itoa(t.TID)), text(t.Title), text(t.Type), text(strconv.Itoa(t.CategoryID))}
	}
	out := w.out()
	out.table([]string{"TID", "TITLE", "TYPE", "CATEGORY"}, rows)
	out.line("%d to %d of %d", c.Start+min(1, len(page.Items)), c.Start+len(page.Items), page.Count)
	if len(page.Items) > 0 {
		out.next("hongyan template library %s %d", c.AppID, page.Items[0].TID)
	}
	return nil
}

func (c *templateLibrary) keywords(ctx context.Context, w *surroundings, gateway *client.Client) error {
	list, err := gateway.LibraryKeywords(ctx, c.AppID, c.TID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	rows, kids := make([][]cell, len(list.Items)), ""
	for i, k := range list.Items {
		rows[i] = []cell{text(strconv.Itoa(k.KID)), text(k.Name), text(k.Rule), text(k.Example)}
		if i < 3 {
			kids += fmt.Sprintf(" --kid %d", k.KID)
		}
	}
	out := w.out()
	out.table([]string{"KID", "KEYWORD", "TYPE", "EXAMPLE"}, rows)
	out.next("hongyan template add %s --tid %d%s", c.AppID, c.TID, kids)
	return nil
}

type templateIndustry struct {
	gatewayFlags `embed:""`
	AppID        string   `arg:"" name:"appid" help:"Appid or alias."`
	Set          []string `placeholder:"CODE,CODE" help:"Choose both industries by code. WeChat allows it once a month, and deletes the templates of one that is given up."`
	Yes          bool     `help:"Choose without a warning before."`
	All          bool     `help:"List the industries there are, with their codes."`
}

func (c *templateIndustry) Run(ctx context.Context, w *surroundings) error {
	if len(c.Set) > 0 {
		if err := c.checkSet(); err != nil {
			return err
		}
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if len(c.Set) > 0 {
		return c.choose(ctx, w, gateway)
	}
	chosen, err := gateway.Industries(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(chosen)
	}
	out := w.out()
	rows := [][]cell{industryRow("primary", chosen.Primary), industryRow("secondary", chosen.Secondary)}
	if c.All {
		for i := range chosen.All {
			rows = append(rows, industryRow("", &chosen.All[i]))
		}
	}
	out.table([]string{"", "CODE", "INDUSTRY"}, rows)
	out.next("hongyan template industry %s --all", c.AppID)
	return nil
}

// checkSet wants two codes, and somebody who knows what it costs.
func (c *templateIndustry) checkSet() error {
	switch {
	case len(c.Set) != 2:
		return wrongUse("write --set 1,10; hongyan template industry APPID --all lists the codes", "--set %s: both industries are needed", strings.Join(c.Set, ","))
	case !c.Yes:
		return wrongUse("add --yes if that is meant", "WeChat lets the industries be changed once a month, and deletes the templates of one that is given up")
	}
	return nil
}

func (c *templateIndustry) choose(ctx context.Context, w *surroundings, gateway *client.Client) error {
	s, err := gateway.SetIndustry(ctx, c.AppID, c.Set[0], c.Set[1])
	if err != nil {
		return flagNames{"/industry_id1": "--set", "/industry_id2": "--set"}.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(s)
	}
	out := w.out()
	out.line("the industries are %s", strings.Join(c.Set, " and "))
	out.synced(s)
	out.next("hongyan template list %s", c.AppID)
	return nil
}

func industryRow(which string, i *client.Industry) []cell {
	if i == nil {
		return []cell{text(which), text("-"), text("not chosen")}
	}
	name := i.FirstClass
	if i.SecondClass != i.FirstClass {
		name += " / " + i.SecondClass
	}
	return []cell{text(which), text(i.Code), text(name)}
}
