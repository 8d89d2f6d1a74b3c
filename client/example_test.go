package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"hongyan/client"
)

// A refusal tells what to mend; a passing condition says that trying again helps.
func ExampleClient_Send() {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status":422,"code":"invalid_data","detail":"thing1 is missing","errors":[{"pointer":"/data/thing1","detail":"missing"}],"retryable":false}`)
	}))
	defer gateway.Close()

	c := client.New(gateway.URL, "hyk_…")
	_, err := c.Send(context.Background(), client.MessageRequest{
		AppID: "shop", ToUser: "oUser00000000000000000000001", TemplateID: "order_paid",
		Data:           map[string]client.Field{"amount2": {Value: "￥39.80"}},
		IdempotencyKey: "order-1001-paid",
	})
	if p, ok := errors.AsType[*client.Problem](err); ok {
		fmt.Println(p.Code, p.Errors[0].Pointer, p.Retryable)
	}
	// Output: invalid_data /data/thing1 false
}
