package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// routes shows every path, group by group of who calls. Each says which role may.
func (a *API) routes(mux *http.ServeMux) {
	h := a.newHuma(mux)
	// Callers: services that send.
	a.messageRoutes(mux, h)
	a.eventRoutes(mux, h)
	a.miniRoutes(mux, h)
	a.batchRoutes(mux, h)
	// Operators: accounts, and what hangs on them.
	a.accountRoutes(h)
	a.templateRoutes(h)
	a.tokenRoutes(h)
	a.ruleRoutes(h)
	a.careRoutes(h)
	a.keyRoutes(h)
	// Anybody: monitoring and documentation.
	a.openRoutes(mux, h)
}

// messageRoutes are of single messages.
func (a *API) messageRoutes(mux *http.ServeMux, h huma.API) {
	mux.HandleFunc("POST /v1/messages", a.sendMessage) // sender; documented by describeSend
	a.describeSend(h)
	handle(a, h, "GET /v1/messages", reader, a.listMessages, aboutListMessages)
	handle(a, h, "GET /v1/messages/{id}", reader, a.getMessage, aboutGetMessage)
	handle(a, h, "POST /v1/messages/{id}/cancel", sender, a.cancelMessage, aboutCancel)
	handle(a, h, "POST /v1/messages/{id}/retry", sender, a.retryMessage, aboutRetry)
	handle(a, h, "POST /v1/messages/{id}/release", sender, a.releaseMessage, aboutRelease)
	handle(a, h, "GET /v1/pushes", reader, a.listPushes, aboutListPushes)
}

// eventRoutes are for whoever wants to hear what happens: the stream and list of events, and webhooks.
func (a *API) eventRoutes(mux *http.ServeMux, h huma.API) {
	mux.HandleFunc("GET /v1/events", a.serveEvents) // reader; documented by describeEvents
	a.describeEvents(h)
	handle(a, h, "POST /v1/webhooks", admin, a.createWebhook, aboutCreateWebhook)
	handle(a, h, "GET /v1/webhooks", reader, a.listWebhooks, aboutListWebhooks)
	handle(a, h, "GET /v1/webhooks/{id}", reader, a.getWebhook, aboutGetWebhook)
	handle(a, h, "PATCH /v1/webhooks/{id}", admin, a.updateWebhook, aboutUpdateWebhook)
	handle(a, h, "DELETE /v1/webhooks/{id}", admin, a.deleteWebhook, aboutDeleteWebhook)
	handle(a, h, "POST /v1/webhooks/{id}/rotate", admin, a.rotateWebhook, aboutRotateWebhook)
	handle(a, h, "POST /v1/webhooks/{id}/test", admin, a.testWebhook, aboutTestWebhook)
	handle(a, h, "POST /v1/webhooks/{id}/redeliver", admin, a.redeliverWebhook, aboutRedeliverWebhook)
	handle(a, h, "POST /v1/webhooks/{id}/pause", admin, a.pauseWebhook, aboutPauseWebhook)
	handle(a, h, "POST /v1/webhooks/{id}/resume", admin, a.resumeWebhook, aboutResumeWebhook)
	handle(a, h, "GET /v1/webhooks/{id}/deliveries", reader, a.listWebhookDeliveries, aboutListWebhookDeliveries)
	handle(a, h, "GET /v1/webhooks/{id}/deliveries/{delivery}", reader, a.getWebhookDelivery, aboutGetWebhookDelivery)
}

// miniRoutes are of what mini programs must have before they may send.
func (a *API) miniRoutes(mux *http.ServeMux, h huma.API) {
	mux.HandleFunc("POST /v1/accounts/{appid}/form_ids", a.plainHandler(sender, a.addForms)) // documented by describeMini
	mux.HandleFunc("POST /v1/accounts/{appid}/consents", a.plainHandler(sender, a.reportConsents))
	a.describeMini(h)
	handle(a, h, "GET /v1/accounts/{appid}/form_ids", reader, a.listForms, aboutListForms)
	handle(a, h, "GET /v1/accounts/{appid}/consents", reader, a.listConsents, aboutListConsents)
	handle(a, h, "POST /v1/accounts/{appid}/templates/{template_id}/convert", sender, a.convertTemplate, aboutConvertTemplate)
}

// batchRoutes are of batches. Uploads and files are streams, documented by describeBatchStreams.
func (a *API) batchRoutes(mux *http.ServeMux, h huma.API) {
	handle(a, h, "POST /v1/batches", sender, a.createBatch, aboutCreateBatch)
	handle(a, h, "GET /v1/batches", reader, a.listBatches, aboutListBatches)
	handle(a, h, "GET /v1/batches/{id}", reader, a.getBatch, aboutGetBatch)
	handle(a, h, "PATCH /v1/batches/{id}", sender, a.updateBatch, aboutUpdateBatch)
	mux.HandleFunc("POST /v1/batches/{id}/recipients", a.uploadRecipients) // sender
	handle(a, h, "GET /v1/batches/{id}/problems", reader, a.listBatchProblems, aboutBatchProblems)
	handle(a, h, "POST /v1/batches/{id}/start", sender, a.startBatch, aboutStartBatch)
	handle(a, h, "POST /v1/batches/{id}/pause", sender, a.pauseBatch, aboutPauseBatch)
	handle(a, h, "POST /v1/batches/{id}/resume", sender, a.resumeBatch, aboutResumeBatch)
	handle(a, h, "POST /v1/batches/{id}/cancel", sender, a.cancelBatch, aboutCancelBatch)
	handle(a, h, "POST /v1/batches/{id}/retry", sender, a.retryBatch, aboutRetryBatch)
	for name, file := range batchFiles {
		mux.HandleFunc("GET /v1/batches/{id}/"+name, a.batchFile(file)) // reader
	}
	a.describeBatchStreams(h)
}

// accountRoutes are of accounts themselves.
func (a *API) accountRoutes(h huma.API) {
	handle(a, h, "POST /v1/accounts", admin, a.createAccount, aboutCreateAccount)
	handle(a, h, "GET /v1/accounts", reader, a.listAccounts, aboutListAccounts)
	handle(a, h, "GET /v1/accounts/{appid}", reader, a.getAccount, aboutGetAccount)
	handle(a, h, "PATCH /v1/accounts/{appid}", admin, a.updateAccount, aboutUpdateAccount)
	handle(a, h, "DELETE /v1/accounts/{appid}", admin, a.deleteAccount, aboutDeleteAccount)
	handle(a, h, "POST /v1/accounts/{appid}/pause", admin, a.pauseAccount, aboutPause)
	handle(a, h, "POST /v1/accounts/{appid}/resume", admin, a.resumeAccount, aboutResume)
	handle(a, h, "POST /v1/accounts/{appid}/release", admin, a.releaseRestored, aboutReleaseRestored)
}

// templateRoutes are of an account's templates.
func (a *API) templateRoutes(h huma.API) {
	handle(a, h, "GET /v1/accounts/{appid}/templates", reader, a.listTemplates, aboutListTemplates)
	handle(a, h, "POST /v1/accounts/{appid}/templates/sync", admin, a.syncTemplates, aboutSyncTemplates)
	handle(a, h, "POST /v1/accounts/{appid}/templates", admin, a.addTemplate, aboutAddTemplate)
	handle(a, h, "GET /v1/accounts/{appid}/templates/{template_id}", reader, a.getTemplate, aboutGetTemplate)
	handle(a, h, "PUT /v1/accounts/{appid}/templates/{template_id}", admin, a.putTemplate, aboutPutTemplate)
	handle(a, h, "PATCH /v1/accounts/{appid}/templates/{template_id}", admin, a.patchTemplate, aboutPatchTemplate)
	handle(a, h, "DELETE /v1/accounts/{appid}/templates/{template_id}", admin, a.deleteTemplate, aboutDeleteTemplate)
	handle(a, h, "POST /v1/accounts/{appid}/templates/{template_id}/lint", reader, a.lintTemplate, aboutLintTemplate)
	handle(a, h, "POST /v1/accounts/{appid}/templates/{template_id}/preview", reader, a.previewTemplate, aboutPreviewTemplate)
	handle(a, h, "GET /v1/accounts/{appid}/templates/aliases", reader, a.listAliases, aboutListAliases)
	handle(a, h, "PUT /v1/accounts/{appid}/templates/aliases/{alias}", admin, a.putAlias, aboutPutAlias)
	handle(a, h, "DELETE /v1/accounts/{appid}/templates/aliases/{alias}", admin, a.deleteAlias, aboutDeleteAlias)
	handle(a, h, "GET /v1/accounts/{appid}/templates/industry", admin, a.getIndustry, aboutGetIndustry)
	handle(a, h, "PUT /v1/accounts/{appid}/templates/industry", admin, a.putIndustry, aboutPutIndustry)
	handle(a, h, "GET /v1/accounts/{appid}/templates/categories", admin, a.listCategories, aboutListCategories)
	handle(a, h, "GET /v1/accounts/{appid}/templates/library", admin, a.listLibrary, aboutListLibrary)
	handle(a, h, "GET /v1/accounts/{appid}/templates/library/{tid}", admin, a.listKeywords, aboutListKeywords)
}

// tokenRoutes are of an account's token and quota, and of whom its pushes are handed on to.
func (a *API) tokenRoutes(h huma.API) {
	handle(a, h, "GET /v1/accounts/{appid}/token", admin, a.getToken, aboutGetToken)
	handle(a, h, "PUT /v1/accounts/{appid}/token", admin, a.pushToken, aboutPushToken)
	handle(a, h, "POST /v1/accounts/{appid}/token/refresh", admin, a.refreshToken, aboutRefreshToken)
	handle(a, h, "GET /v1/accounts/{appid}/quota", reader, a.getQuota, aboutGetQuota)
	handle(a, h, "GET /v1/accounts/{appid}/downstreams", reader, a.listDownstreams, aboutListDownstreams)
	handle(a, h, "POST /v1/accounts/{appid}/downstreams/{name}/pause", admin, a.pauseDownstream, aboutPauseDownstream)
	handle(a, h, "POST /v1/accounts/{appid}/downstreams/{name}/resume", admin, a.resumeDownstream, aboutResumeDownstream)
	handle(a, h, "POST /v1/accounts/{appid}/downstreams/{name}/replay", admin, a.replayDownstream, aboutReplayDownstream)
	handle(a, h, "GET /v1/accounts/{appid}/deliveries", reader, a.listDeliveries, aboutListDeliveries)
}

// ruleRoutes are of what is sent by itself.
func (a *API) ruleRoutes(h huma.API) {
	handle(a, h, "POST /v1/accounts/{appid}/rules", admin, a.createRule, aboutCreateRule)
	handle(a, h, "GET /v1/accounts/{appid}/rules", reader, a.listRules, aboutListRules)
	handle(a, h, "GET /v1/accounts/{appid}/rules/{name}", reader, a.getRule, aboutGetRule)
	handle(a, h, "PATCH /v1/accounts/{appid}/rules/{name}", admin, a.updateRule, aboutUpdateRule)
	handle(a, h, "DELETE /v1/accounts/{appid}/rules/{name}", admin, a.deleteRule, aboutDeleteRule)
	handle(a, h, "POST /v1/accounts/{appid}/rules/{name}/pause", admin, a.pauseRule, aboutPauseRule)
	handle(a, h, "POST /v1/accounts/{appid}/rules/{name}/resume", admin, a.resumeRule, aboutResumeRule)
	handle(a, h, "GET /v1/accounts/{appid}/rules/{name}/test", sender, a.testRule, aboutTestRule)
	handle(a, h, "GET /v1/accounts/{appid}/rules/{name}/firings", reader, a.listFirings, aboutListFirings)
}

// careRoutes are of users: to whom nothing is sent, what is known of one, and erasing it.
func (a *API) careRoutes(h huma.API) {
	handle(a, h, "GET /v1/accounts/{appid}/suppressions", reader, a.listSuppressions, aboutListSuppressions)
	handle(a, h, "POST /v1/accounts/{appid}/suppressions", sender, a.putSuppressions, aboutPutSuppressions)
	handle(a, h, "DELETE /v1/accounts/{appid}/suppressions/{openid}", sender, a.removeSuppression, aboutRemoveSuppression)
	handle(a, h, "GET /v1/accounts/{appid}/users/{openid}", reader, a.getUser, aboutGetUser)
	handle(a, h, "DELETE /v1/accounts/{appid}/users/{openid}", admin, a.eraseUser, aboutEraseUser)
	handle(a, h, "GET /v1/accounts/{appid}/erasures/{id}", reader, a.getErasure, aboutGetErasure)
}

// keyRoutes are of who may call, what was changed, and whether all is well.
func (a *API) keyRoutes(h huma.API) {
	handle(a, h, "POST /v1/keys", admin, a.createKey, aboutCreateKey)
	handle(a, h, "GET /v1/keys", admin, a.listKeys, aboutListKeys)
	handle(a, h, "DELETE /v1/keys/{id}", admin, a.revokeKey, aboutRevokeKey)
	handle(a, h, "GET /v1/audit", admin, a.listAudit, aboutListAudit)
	handle(a, h, "GET /v1/doctor", admin, a.examine, aboutExamine)
}

// openRoutes are open to everybody, but for metrics.
func (a *API) openRoutes(mux *http.ServeMux, h huma.API) {
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET /metrics", a.metricsPage) // a key off loopback
	a.describeHealth(h)
	a.docs = newDocuments(h.OpenAPI())
	mux.HandleFunc("GET /openapi.json", a.docs.serveOpenAPI)
	mux.HandleFunc("GET /docs", a.docs.servePage)
	mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusFound))
	mux.HandleFunc("GET /problems/{code}", a.problemPage)
	mux.HandleFunc("/", a.notFound(mux))
}
