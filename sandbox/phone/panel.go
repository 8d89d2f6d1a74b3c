package phone

import (
	"net/http"

	"hongyan/sandbox"
	"hongyan/wechat"
)

// panelPage is the developer panel: its tabs, and the one of the four that is open.
type panelPage struct {
	View     view
	Pages    []panelTab
	Traffic  *trafficPage
	Faults   *faultsPage
	Clock    *clockPage
	Accounts *accountsPage
}

type panelTab struct {
	Name, Key string
	Current   bool
	Count     int // shown beside the name; 0 = nothing
	View      view
}

func (s *site) panel(w http.ResponseWriter, r *http.Request, v view) error {
	if r.Header.Get("HX-Target") == "panel" {
		w.Header().Set("HX-Push-Url", v.Page())
	}
	return s.render(w, v, part{"panel", s.panelOf(v)})
}

func (s *site) panelOf(v view) panelPage {
	p := panelPage{View: v}
	for _, name := range []string{panelTraffic, panelFaults, panelClock, panelAccounts} {
		tab := panelTab{Name: name, Key: "panel." + name, Current: name == v.Panel, View: v.WithPanel(name)}
		if name == panelFaults {
			tab.Count = len(s.box.Faults()) + len(s.box.Presets())
		}
		p.Pages = append(p.Pages, tab)
	}
	switch v.Panel {
	case panelFaults:
		p.Faults = s.faultsPage(v)
	case panelClock:
		p.Clock = s.clockPage()
	case panelAccounts:
		p.Accounts = s.accountsPage(v)
	default:
		p.Traffic = s.trafficPage(v, 0)
	}
	return p
}

// accountsPage lists the accounts with what is worth changing by hand.
type accountsPage struct {
	View view
	List []accountCard
}

type accountCard struct {
	AppID, Kind, Era, ServerURL, Mode string
	Sender                            sender
	Eras                              []string
	Templates                         []string
}

func (s *site) accountsPage(v view) *accountsPage {
	list := s.box.Accounts()
	who := directoryOf(list)
	p := &accountsPage{View: v}
	var eras []string
	for _, e := range wechat.Eras() {
		eras = append(eras, e.String())
	}
	for _, a := range list {
		p.List = append(p.List, accountCard{
			AppID: a.AppID, Kind: a.Kind, Era: a.Era, ServerURL: *a.ServerURL, Mode: a.CallbackMode + " · " + a.CallbackFormat,
			Sender: who.sender(a.AppID), Eras: eras, Templates: a.Templates,
		})
	}
	return p
}

// setAccount changes the era an account is in: its cards are drawn anew.
func (s *site) setAccount(w http.ResponseWriter, r *http.Request, v view) error {
	appid, era := r.PostForm.Get("appid"), r.PostForm.Get("era")
	if err := s.box.UpdateAccount(appid, sandbox.AccountSpec{Era: era}); err != nil {
		return err
	}
	v.Panel = panelAccounts
	return s.done(w, r, v, v.lang.text("said.era", appid, era))
}
