package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"hongyan/sandbox"
)

func Example() {
	box := sandbox.New(sandbox.Options{DeliveryDelay: -1})
	server := httptest.NewServer(box.Handler())
	defer server.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = box.Run(ctx) }()

	var token struct {
		AccessToken string `json:"access_token"`
	}
	resp, err := http.Get(server.URL + "/cgi-bin/token?grant_type=client_credential&appid=" +
		sandbox.SeedServiceAppID + "&secret=" + sandbox.SeedServiceSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = json.NewDecoder(resp.Body).Decode(&token)
	_ = resp.Body.Close()

	user := sandbox.OpenID("", 1)
	message := fmt.Sprintf(`{"touser":%q,"template_id":%q,"data":{"thing1":{"value":"人民路店"},
		"character_string2":{"value":"B27"},"time3":{"value":"18:05"}}}`, user, sandbox.SeedTemplateQueue)
	resp, err = http.Post(server.URL+"/cgi-bin/message/template/send?access_token="+token.AccessToken,
		"application/json", strings.NewReader(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()

	for _, entry := range box.Inbox(user) {
		fmt.Println(entry.Title)
		for _, line := range entry.Lines {
			fmt.Println(line.Label, line.Value)
		}
	}
	// Output:
	// 排队叫号通知
	// 门店名称 人民路店
	// 排队号码 B27
	// 取号时间 18:05
}
