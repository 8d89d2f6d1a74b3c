package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"hongyan/client"
)

var aboutCreateBatch = about{
	summary: "Make a batch / 创建批量", status: 201, again: "The batch that the Idempotency-Key has made, as it is now.",
	description: `One template for many recipients. The batch is open: give it recipients, look at its problems, and start it; nothing leaves before.

Texts may hold {{column}}, which each row replaces by what its column says; nothing else is computed. Account, template and all that is the same for every row are checked at once.

An Idempotency-Key header (1 to 255 visible characters) makes a repeated request answer the first batch, as it is now, with 200 and Idempotency-Replayed: true for 24 hours; the same key with another body is refused with 422. Bodies are compared byte for byte.

Template messages are important service notices in qualifying scenes; WeChat forbids advertising and marketing in them. 模板消息仅用于重要的服务通知，不得用于广告营销。`,
}

var aboutListBatches = about{summary: "List batches / 批量列表", description: "Newest first. Batches that were cancelled before a row was stored, which is what a dry run leaves, are listed only with state=cancelled, and go after a day. counts, forecast_at and hold are told when one batch is read."}

var aboutGetBatch = about{summary: "Read a batch / 查看批量", description: "With its messages counted by state, as they were a second ago at most, its speed, and when the last row will have left."}

var aboutUpdateBatch = about{summary: "Change a batch / 修改批量", description: "Name, rate and quiet hours, at any time; they hold at once. Fields that are left out stay as they are."}

var aboutBatchProblems = about{summary: "List the problems of a batch / 批量的问题行", description: "What is wrong with rows, in their order: by row, column and rule. The problems of one row come together, so a page may be a little longer than limit."}

var aboutStartBatch = about{
	summary: "Start a batch / 开始发送", optionalBody: true,
	description: "At once, or at a time. 409 batch_has_bad_rows when it has bad rows, unless skip_bad leaves them out: nothing is sent then.",
}

var aboutPauseBatch = about{summary: "Pause a batch / 暂停批量", description: "At once: calls under way end, and nothing else leaves. What was about to is held with reason batch_paused. Messages in doubt settle all the same. A batch that waits for its template is paused by this, too: it does not go on by itself any more."}

var aboutResumeBatch = about{summary: "Resume a batch / 继续批量", description: "It goes on with the next row."}

var aboutCancelBatch = about{summary: "Cancel a batch / 取消批量", description: "At once: calls under way end, what waits is cancelled, and the rows that are left never become messages."}

var aboutRetryBatch = about{
	summary: "Send the failed rows of a batch again / 重发失败的行", status: 201, optionalBody: true,
	description: "Makes a new, open batch with retry_of, of the rows whose messages ended in one of the states, each with its own data; start it to send them. The old one stays as it ended.",
}

// describeBatchStreams adds what is not huma's to the documents.
func (a *API) describeBatchStreams(h huma.API) {
	id := &huma.Param{Name: "id", In: "path", Required: true, Description: "The batch's id.", Schema: &huma.Schema{Type: huma.TypeString}}
	one := 1.0
	plainly(h, sender, aboutUpload, huma.Operation{
		Method: http.MethodPost, Path: "/v1/batches/{id}/recipients", OperationID: "uploadRecipients",
		Parameters: []*huma.Param{id,
			{Name: "from", In: "query", Description: "The number of the first row in this body. Default 1.", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &one}},
			{Name: "dry_run", In: "query", Description: "true: judge the rows and store nothing.", Schema: &huma.Schema{Type: huma.TypeBoolean}},
			{Name: "sheet", In: "query", Description: "The sheet of an XLSX. Default: the first visible one.", Schema: &huma.Schema{Type: huma.TypeString}}},
		RequestBody: &huma.RequestBody{Description: "NDJSON: a JSON object a line. CSV and XLSX: a row of column names, then a recipient a row.",
			Content: map[string]*huma.MediaType{client.NDJSON: streamOf(client.NDJSON), client.CSV: streamOf(client.CSV), client.XLSX: streamOf(client.XLSX)}},
		Responses: map[string]*huma.Response{
			"200": {Description: "Judged and, but for a dry run, stored.", Content: map[string]*huma.MediaType{
				"application/json": {Schema: schemaOf[client.BatchReport](h.OpenAPI().Components.Schemas)}}},
		},
	})
	for name, file := range batchFiles {
		plainly(h, reader, about{summary: file.summary, description: file.description}, huma.Operation{
			Method: http.MethodGet, Path: "/v1/batches/{id}/" + name, OperationID: "getBatch" + camel(file.id), Parameters: []*huma.Param{id},
			Responses: map[string]*huma.Response{
				"200": {Description: "The file. " + file.description, Content: map[string]*huma.MediaType{file.contentType: streamOf(file.contentType)}},
			},
		})
	}
}

var aboutUpload = about{summary: "Upload recipients / 上传接收者", description: uploadDescription}

const uploadDescription = `Streams rows into an open batch: NDJSON (a JSON object a line with touser, data and other fields of a message, which go over the batch's, and columns for its {{column}}), CSV (UTF-8, UTF-16 or GBK/GB18030, found out by itself; comma, semicolon or tab) or XLSX. The first row of a table names the columns; rows are numbered from 1 below it.

Every row is held against the rules that a single message is held to. Bad rows are stored with what is wrong with them, and never sent.

from is the number of the first row in this body. Rows that are stored already are passed over, so sending the same file again goes on where it broke off; a stored row with another recipient is refused with 409 rows_differ, and a gap with 409 rows_gap. Refusals name the row that is wanted in next_row.`
