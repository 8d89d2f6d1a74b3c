// Package api is Hongyan's own HTTP API: /v1, its documentation, and the
// health and metrics pages. It decodes strictly, knows who asks, and turns
// errors into problems (RFC 9457); what happens to a message is package
// dispatch's business, and the WeChat-compatible surface package compat's.
//
// Start with routes.go, which shows every path. Then problem.go (how an error
// becomes an answer), strict.go (how JSON is read) and send.go (the one path
// that is built for speed). There is one file per noun; the JSON types are
// package client's.
package api

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"hongyan/access"
	"hongyan/batch"
	"hongyan/care"
	"hongyan/deliver"
	"hongyan/dispatch"
	"hongyan/doctor"
	"hongyan/mini"
	"hongyan/rule"
	"hongyan/store"
	"hongyan/template"
	"hongyan/token"
)

// Config is what an API is built from.
type Config struct {
	Store  store.Store
	Engine *dispatch.Engine
	Tokens *token.Central
	// Access knows who asks, and writes the audit log.
	Access *access.Desk
	// Changed is called with the appid after an account changed, so that whoever
	// remembers it forgets; nil = nobody does.
	Changed func(appID string)
	// Templates syncs, adds and deletes templates at WeChat.
	Templates *template.Shelf
	// Deliveries sends pushes to downstreams again, and drops what waits for those
	// that are gone; nil = nobody hands anything on.
	Deliveries Deliveries
	// Herald takes events to webhooks, and tells of new ones; nil = nobody does.
	Herald *deliver.Herald
	// Rules tries rules on past pushes; nil = nobody carries them out.
	Rules *rule.Desk
	// Care keeps the suppression lists and erases people; nil = nobody does.
	Care *care.Desk
	// Mini keeps form_ids and consents.
	Mini *mini.Keeper
	// Batches stages and feeds batches.
	Batches *batch.Desk
	// Doctor looks whether all is in order.
	Doctor *doctor.Doctor
	// Version is shown in the OpenAPI document; "" = "dev".
	Version string
	// Gatherer adds the engine's metrics to /metrics; nil = none.
	Gatherer prometheus.Gatherer
	Logger   *slog.Logger // nil = discard
}

// API answers HTTP. It is safe for concurrent use.
type API struct {
	cfg      Config
	log      *slog.Logger
	changing chan struct{} // holds one: the change of an account that is under way
	metrics  *metrics
	ready    readiness
	handler  http.Handler
	docs     documents
	streams  *streams
}

// New builds the API. It starts nothing.
func New(cfg Config) *API {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	a := &API{cfg: cfg, log: cfg.Logger, changing: make(chan struct{}, 1), streams: newStreams()}
	a.metrics = newMetrics(stuck{a}, cfg.Gatherer)
	mux := http.NewServeMux()
	a.routes(mux)
	a.handler = a.around(mux)
	return a
}

// Handler answers /v1/, /healthz, /readyz, /metrics, /openapi.json, /docs and
// /problems/, and a problem with status 404 for anything else.
func (a *API) Handler() http.Handler { return a.handler }
