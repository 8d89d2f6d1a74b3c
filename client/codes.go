// Printed from api/codes_table.go by go test ./api -update. DO NOT EDIT.

package client

// The codes of problems, with what each means. A gateway newer than this package may
// have others.
const (
	// CodeAccountBusy (HTTP 409): Some messages of the account have not ended.
	CodeAccountBusy Code = "account_busy"

	// CodeAccountExists (HTTP 409): An account with this appid exists.
	CodeAccountExists Code = "account_exists"

	// CodeAccountHeld (HTTP 409): The message waits because its account is paused or stopped.
	CodeAccountHeld Code = "account_held"

	// CodeAccountNotCovered (HTTP 403): The key was made for other accounts.
	CodeAccountNotCovered Code = "account_not_covered"

	// CodeAliasExists (HTTP 409): Another account has this alias or appid.
	CodeAliasExists Code = "alias_exists"

	// CodeAtPast (HTTP 422): The time to start at lies more than a minute back. Nothing was started.
	CodeAtPast Code = "at_past"

	// CodeBadCursor (HTTP 422): cursor is not a next_cursor that this list gave.
	CodeBadCursor Code = "bad_cursor"

	// CodeBadIdempotencyKey (HTTP 422): The header is empty, too long, repeated or has invisible characters.
	CodeBadIdempotencyKey Code = "bad_idempotency_key"

	// CodeBadJSON (HTTP 400): The body is empty, broken off, not UTF-8 or not JSON.
	CodeBadJSON Code = "bad_json"

	// CodeBadParameter (HTTP 422): A query parameter is unknown, missing or out of bounds.
	CodeBadParameter Code = "bad_parameter"

	// CodeBadPlaceholder (HTTP 422): A text opens {{ without a column's name and }}.
	CodeBadPlaceholder Code = "bad_placeholder"

	// CodeBadTable (HTTP 422): The file as a whole is not a CSV or XLSX that can be read, or has no usable head. detail says why.
	CodeBadTable Code = "bad_table"

	// CodeBadTime (HTTP 422): A time is not of RFC 3339 with an offset.
	CodeBadTime Code = "bad_time"

	// CodeBatchChanged (HTTP 409): Others changed the batch at the same moment, again and again.
	CodeBatchChanged Code = "batch_changed"

	// CodeBatchEmpty (HTTP 409): No row of the batch could be sent.
	CodeBatchEmpty Code = "batch_empty"

	// CodeBatchHasBadRows (HTTP 409): Some rows break a rule, so nothing is sent until somebody decides.
	CodeBatchHasBadRows Code = "batch_has_bad_rows"

	// CodeBatchMoved (HTTP 409): The rows are messages already, or the batch is not running.
	CodeBatchMoved Code = "batch_moved"

	// CodeBatchNotOpen (HTTP 409): Recipients are taken while a batch is open: until it is started or cancelled.
	CodeBatchNotOpen Code = "batch_not_open"

	// CodeBatchState (HTTP 409): The batch is in a state that does not allow the act.
	CodeBatchState Code = "batch_state"

	// CodeBodyNotRead (HTTP 400): The connection ended or took too long before the whole body had come.
	CodeBodyNotRead Code = "body_not_read"

	// CodeBodyTooLarge (HTTP 413): The body is longer than 1 MiB.
	CodeBodyTooLarge Code = "body_too_large"

	// CodeBusy (HTTP 503): Several requests change the same thing at once, and this one lost each time.
	CodeBusy Code = "busy"

	// CodeCallbackNotConfigured (HTTP 409): The account's callback settings are incomplete.
	CodeCallbackNotConfigured Code = "callback_not_configured"

	// CodeClientMsgIDTooLong (HTTP 422): client_msg_id has more than 64 bytes.
	CodeClientMsgIDTooLong Code = "client_msg_id_too_long"

	// CodeClosed (HTTP 503): The gateway is stopping.
	CodeClosed Code = "closed"

	// CodeConflict (HTTP 409): The request is right, but what it is about is in another state.
	CodeConflict Code = "conflict"

	// CodeDataIsString (HTTP 400): data holds JSON inside a string: it was encoded twice.
	CodeDataIsString Code = "data_is_string"

	// CodeDatabaseBusy (HTTP 503): Another program holds the database file locked.
	CodeDatabaseBusy Code = "database_busy"

	// CodeDiskFull (HTTP 507): The gateway cannot record anything more, so it accepts nothing.
	CodeDiskFull Code = "disk_full"

	// CodeDotDataKey (HTTP 422): .DATA belongs to the template's text ({{thing1.DATA}}); the key in data is thing1.
	CodeDotDataKey Code = "dot_data_key"

	// CodeDuplicateField (HTTP 400): An object has two members of one name; which one is meant cannot be known.
	CodeDuplicateField Code = "duplicate_field"

	// CodeExists (HTTP 409): Something with the same name exists.
	CodeExists Code = "exists"

	// CodeExpiresAtBeforeSendAt (HTTP 422): The message would expire before it may be sent.
	CodeExpiresAtBeforeSendAt Code = "expires_at_before_send_at"

	// CodeExpiresAtPast (HTTP 422): The message could never be sent.
	CodeExpiresAtPast Code = "expires_at_past"

	// CodeFieldOfAnotherKind (HTTP 422): The message has a field that its kind does not know.
	CodeFieldOfAnotherKind Code = "field_of_another_kind"

	// CodeForbidden (HTTP 403): The key is valid but does not cover this act.
	CodeForbidden Code = "forbidden"

	// CodeFull (HTTP 507): The gateway cannot record anything more, so it accepts nothing.
	CodeFull Code = "full"

	// CodeIdempotencyKeyNotTaken (HTTP 422): The header would promise that repeating the request is safe; POST /v1/messages and POST /v1/batches keep that. Nothing was made.
	CodeIdempotencyKeyNotTaken Code = "idempotency_key_not_taken"

	// CodeIdempotencyKeyReused (HTTP 422): The same key came with other bytes within 24 hours. Nothing was stored.
	CodeIdempotencyKeyReused Code = "idempotency_key_reused"

	// CodeIdempotencyKeyTaken (HTTP 409): Two calls with the same key came at once, and the batch that the other made was gone when it was looked for. Nothing was made.
	CodeIdempotencyKeyTaken Code = "idempotency_key_taken"

	// CodeInDoubt (HTTP 409): An attempt got no answer, so the message may have been shown. It cannot be cancelled.
	CodeInDoubt Code = "in_doubt"

	// CodeInternal (HTTP 500): Something went wrong that should not. Nothing about it is shown here.
	CodeInternal Code = "internal"

	// CodeInvalid (HTTP 422): A value in the request breaks a rule. errors says which.
	CodeInvalid Code = "invalid"

	// CodeInvalidAccount (HTTP 422): One or more settings break a rule. errors lists all of them; secrets are not repeated.
	CodeInvalidAccount Code = "invalid_account"

	// CodeInvalidAlias (HTTP 422): An alias is a letter and then up to 39 letters, digits, _, - and dots, and no template_id.
	CodeInvalidAlias Code = "invalid_alias"

	// CodeInvalidData (HTTP 422): A key of the template is missing, or a value breaks the rule of its type. WeChat would answer 47003.
	CodeInvalidData Code = "invalid_data"

	// CodeInvalidField (HTTP 422): A field has a value that WeChat has published a rule against: title, scene, content, miniprogram_state or lang.
	CodeInvalidField Code = "invalid_field"

	// CodeInvalidIndustry (HTTP 422): WeChat takes both industries at once, by code.
	CodeInvalidIndustry Code = "invalid_industry"

	// CodeInvalidKey (HTTP 401): The key is unknown here or was revoked.
	CodeInvalidKey Code = "invalid_key"

	// CodeInvalidKeyRequest (HTTP 422): Name, kind, role or accounts of the new key break a rule.
	CodeInvalidKeyRequest Code = "invalid_key_request"

	// CodeInvalidRedelivery (HTTP 422): Types, times or states of the redelivery break a rule.
	CodeInvalidRedelivery Code = "invalid_redelivery"

	// CodeInvalidReplay (HTTP 422): from, until or events break a rule. Nothing is sent again.
	CodeInvalidReplay Code = "invalid_replay"

	// CodeInvalidRow (HTTP 422): The one entry that was sent breaks a rule; nothing is stored.
	CodeInvalidRow Code = "invalid_row"

	// CodeInvalidRule (HTTP 422): Trigger, filters, times or message of the rule break what rules may say.
	CodeInvalidRule Code = "invalid_rule"

	// CodeInvalidSuppression (HTTP 422): An openid, a time or a note cannot be put on the list; nothing was.
	CodeInvalidSuppression Code = "invalid_suppression"

	// CodeInvalidTemplate (HTTP 422): Id, title or content of the template break a rule.
	CodeInvalidTemplate Code = "invalid_template"

	// CodeInvalidToken (HTTP 422): access_token or expires_in break a rule. The token is not repeated.
	CodeInvalidToken Code = "invalid_token"

	// CodeInvalidWebhook (HTTP 422): Name, kind, url, events, accounts, secret or language of the webhook break a rule. A secret is never repeated.
	CodeInvalidWebhook Code = "invalid_webhook"

	// CodeKeyExists (HTTP 409): A key with this id exists.
	CodeKeyExists Code = "key_exists"

	// CodeLimitUsedUp (HTTP 409): A quota rule of the account allows no more calls in this period, and release does not go past it.
	CodeLimitUsedUp Code = "limit_used_up"

	// CodeLineTooLong (HTTP 422): A line of NDJSON is longer than 64 KiB. The parts before it are stored.
	CodeLineTooLong Code = "line_too_long"

	// CodeMalformedClientMsgID (HTTP 422): client_msg_id holds characters other than visible ASCII.
	CodeMalformedClientMsgID Code = "malformed_client_msg_id"

	// CodeMalformedOpenID (HTTP 422): touser is not 28 characters that start with o. WeChat would answer 40003.
	CodeMalformedOpenID Code = "malformed_openid"

	// CodeMalformedTemplateID (HTTP 422): template_id is too long to be one.
	CodeMalformedTemplateID Code = "malformed_template_id"

	// CodeMetadataTooLong (HTTP 422): metadata has more than 16 KiB.
	CodeMetadataTooLong Code = "metadata_too_long"

	// CodeMethodNotAllowed (HTTP 405): The path exists, with other methods.
	CodeMethodNotAllowed Code = "method_not_allowed"

	// CodeMissingField (HTTP 422): A field that this kind of message needs is missing or empty.
	CodeMissingField Code = "missing_field"

	// CodeMissingKey (HTTP 401): The request carries no API key.
	CodeMissingKey Code = "missing_key"

	// CodeNoConsent (HTTP 422): It is known that the user has no send of this subscribe template left, and the account refuses such messages (mini.consent_check).
	CodeNoConsent Code = "no_consent"

	// CodeNoPush (HTTP 404): The account has had no push like this, or it has been removed since.
	CodeNoPush Code = "no_push"

	// CodeNoSlot (HTTP 503): Every slot is busy at the moment.
	CodeNoSlot Code = "no_slot"

	// CodeNoSubscribeTemplates (HTTP 422): Only mini programs and service accounts have templates of subscribe messages or notices.
	CodeNoSubscribeTemplates Code = "no_subscribe_templates"

	// CodeNodeFenced (HTTP 409): This process lost its lease and another one took over its work.
	CodeNodeFenced Code = "node_fenced"

	// CodeNotFound (HTTP 404): What the path names does not exist, or is not for this key.
	CodeNotFound Code = "not_found"

	// CodeNotRotated (HTTP 409): The secret of a robot is made where the robot is.
	CodeNotRotated Code = "not_rotated"

	// CodeNotSuppressed (HTTP 404): The user is not on the account's suppression list, or not any more.
	CodeNotSuppressed Code = "not_suppressed"

	// CodeNothingToRetry (HTTP 409): No message of the batch is in one of the states, or its rows have been removed since.
	CodeNothingToRetry Code = "nothing_to_retry"

	// CodeOtherKindOfKey (HTTP 401): hyk_ keys are for /v1, hys_ gateway secrets take the place of an AppSecret with WeChat's own API.
	CodeOtherKindOfKey Code = "other_kind_of_key"

	// CodePayloadGone (HTTP 409): The message ended longer ago than the gateway keeps values (retention.payload). Its states and attempts are still there, but it cannot be retried.
	CodePayloadGone Code = "payload_gone"

	// CodeQuietHours (HTTP 422): Not like 22:00-08:00 (Beijing time), nor off.
	CodeQuietHours Code = "quiet_hours"

	// CodeReadOnly (HTTP 503): The file or its folder is read-only.
	CodeReadOnly Code = "read_only"

	// CodeRetriedAlready (HTTP 409): A batch that is not cancelled sends rows of this one again; detail names it. Nothing was made.
	CodeRetriedAlready Code = "retried_already"

	// CodeRoleTooLow (HTTP 403): reader reads, sender also sends and acts on messages, admin does everything.
	CodeRoleTooLow Code = "role_too_low"

	// CodeRowsDiffer (HTTP 409): A row that is stored already has another recipient than the one sent now.
	CodeRowsDiffer Code = "rows_differ"

	// CodeRowsGap (HTTP 409): The first row of the upload is not the next one of the batch.
	CodeRowsGap Code = "rows_gap"

	// CodeRuleExists (HTTP 409): The account has a rule of that name.
	CodeRuleExists Code = "rule_exists"

	// CodeSendAtTooLate (HTTP 422): send_at is more than 90 days ahead.
	CodeSendAtTooLate Code = "send_at_too_late"

	// CodeStopping (HTTP 503): The gateway is stopping and sends nothing more.
	CodeStopping Code = "stopping"

	// CodeTemplateBanned (HTTP 422): WeChat refused this template with 43116.
	CodeTemplateBanned Code = "template_banned"

	// CodeTemplateHasAliases (HTTP 409): The template is not deleted because callers that use its alias would be refused.
	CodeTemplateHasAliases Code = "template_has_aliases"

	// CodeTemplateOfAnotherKind (HTTP 422): The template is for another kind of message: template messages, form_id messages, subscribe messages and subscription notices have templates of their own.
	CodeTemplateOfAnotherKind Code = "template_of_another_kind"

	// CodeTemplateRemoved (HTTP 422): The account held this template once; WeChat no longer lists it.
	CodeTemplateRemoved Code = "template_removed"

	// CodeTemplatesByHand (HTTP 422): WeChat retired the calls that list and add form_id templates of mini programs.
	CodeTemplatesByHand Code = "templates_by_hand"

	// CodeTemplatesUnread (HTTP 503): The template is not known here, and WeChat could not be asked whether the account has it; nothing was stored.
	CodeTemplatesUnread Code = "templates_unread"

	// CodeTimedOut (HTTP 503): The request was not finished in its time, or was given up by the caller.
	CodeTimedOut Code = "timed_out"

	// CodeTokenNotExternal (HTTP 409): Tokens are pushed only to an account with token_source external.
	CodeTokenNotExternal Code = "token_not_external"

	// CodeTokenNotPushed (HTTP 409): An account with a token_url fetches its tokens there and takes no others.
	CodeTokenNotPushed Code = "token_not_pushed"

	// CodeTokenRefused (HTTP 409): WeChat refused the very token that was pushed, so it is dead.
	CodeTokenRefused Code = "token_refused"

	// CodeTokenStopped (HTTP 409): WeChat refuses tokens for a reason that does not pass: a wrong AppSecret, an address that is not in the whitelist, a frozen account.
	CodeTokenStopped Code = "token_stopped"

	// CodeTokenUnavailable (HTTP 503): WeChat gave no token; the gateway tries again by itself.
	CodeTokenUnavailable Code = "token_unavailable"

	// CodeTooManyRows (HTTP 422): A batch has at most 5,000,000 rows.
	CodeTooManyRows Code = "too_many_rows"

	// CodeTooManyRules (HTTP 409): Each rule is compared with every push; an account may have 100.
	CodeTooManyRules Code = "too_many_rules"

	// CodeTooManyStreams (HTTP 503): As many streams of events are open as one gateway process holds.
	CodeTooManyStreams Code = "too_many_streams"

	// CodeTooManyWebhooks (HTTP 409): There are as many webhooks as a gateway has at most.
	CodeTooManyWebhooks Code = "too_many_webhooks"

	// CodeTooManyWrongKeys (HTTP 429): This address sent 20 or more keys within a minute that are not valid, and must wait. Valid keys still work.
	CodeTooManyWrongKeys Code = "too_many_wrong_keys"

	// CodeUnauthorized (HTTP 401): The request carries no API key that is known here.
	CodeUnauthorized Code = "unauthorized"

	// CodeUnavailable (HTTP 503): A condition that passes keeps the request from being served.
	CodeUnavailable Code = "unavailable"

	// CodeUnknownAccount (HTTP 404): No account has this appid or alias.
	CodeUnknownAccount Code = "unknown_account"

	// CodeUnknownAlias (HTTP 404): The account has no such template alias.
	CodeUnknownAlias Code = "unknown_alias"

	// CodeUnknownBatch (HTTP 404): There is no batch with this id, or it belongs to an account the key does not cover.
	CodeUnknownBatch Code = "unknown_batch"

	// CodeUnknownColumn (HTTP 422): A text of the batch names a column that the table does not have. Nothing was stored.
	CodeUnknownColumn Code = "unknown_column"

	// CodeUnknownDelivery (HTTP 404): The webhook has no such delivery, or it is forgotten: they are kept for 7 days.
	CodeUnknownDelivery Code = "unknown_delivery"

	// CodeUnknownDownstream (HTTP 404): The account has no downstream of this name.
	CodeUnknownDownstream Code = "unknown_downstream"

	// CodeUnknownErasure (HTTP 404): The account has no erasure of that id.
	CodeUnknownErasure Code = "unknown_erasure"

	// CodeUnknownField (HTTP 400): The body has a field this operation does not know. It is refused because a misspelt field would otherwise be lost silently.
	CodeUnknownField Code = "unknown_field"

	// CodeUnknownKey (HTTP 404): There is no key with this id.
	CodeUnknownKey Code = "unknown_key"

	// CodeUnknownKind (HTTP 422): kind is not template, mini_template, subscribe, notice or one_time.
	CodeUnknownKind Code = "unknown_kind"

	// CodeUnknownMessage (HTTP 404): There is no message with this id, or it belongs to an account the key does not cover.
	CodeUnknownMessage Code = "unknown_message"

	// CodeUnknownPath (HTTP 404): The gateway serves nothing here.
	CodeUnknownPath Code = "unknown_path"

	// CodeUnknownPriority (HTTP 422): priority is not urgent, normal or bulk.
	CodeUnknownPriority Code = "unknown_priority"

	// CodeUnknownRows (HTTP 404): The rows are not there, or were removed after their time.
	CodeUnknownRows Code = "unknown_rows"

	// CodeUnknownRule (HTTP 404): The account has no rule of that name.
	CodeUnknownRule Code = "unknown_rule"

	// CodeUnknownState (HTTP 422): state names something that is no state of a message.
	CodeUnknownState Code = "unknown_state"

	// CodeUnknownTemplate (HTTP 422): The account holds no such template. WeChat would answer 40037.
	CodeUnknownTemplate Code = "unknown_template"

	// CodeUnknownToken (HTTP 404): This gateway never had this token, or has forgotten it.
	CodeUnknownToken Code = "unknown_token"

	// CodeUnknownWebhook (HTTP 404): There is no webhook with that id or name, or it is not for this key.
	CodeUnknownWebhook Code = "unknown_webhook"

	// CodeUnsupportedMediaType (HTTP 415): Content-Type names no format that is read here.
	CodeUnsupportedMediaType Code = "unsupported_media_type"

	// CodeUploadReplaced (HTTP 409): A later upload of the same batch began and goes on in its place. What was stored stays.
	CodeUploadReplaced Code = "upload_replaced"

	// CodeURLTooLong (HTTP 422): url or page has more than 2,048 bytes.
	CodeURLTooLong Code = "url_too_long"

	// CodeUserHasWaiting (HTTP 409): A person is not erased while messages wait for them.
	CodeUserHasWaiting Code = "user_has_waiting"

	// CodeWebhookDisabled (HTTP 409): It answered 410, or an operator disabled it; nothing is sent to it.
	CodeWebhookDisabled Code = "webhook_disabled"

	// CodeWebhookExists (HTTP 409): Another webhook has that name.
	CodeWebhookExists Code = "webhook_exists"

	// CodeWeChatNoAnswer (HTTP 503): The call was sent and no usable answer came; it may have been carried out.
	CodeWeChatNoAnswer Code = "wechat_no_answer"

	// CodeWeChatNotReached (HTTP 503): No byte of the call left this machine; nothing was done.
	CodeWeChatNotReached Code = "wechat_not_reached"

	// CodeWrongKind (HTTP 422): Service accounts send template, notice and one_time, mini programs mini_template and subscribe; subscription accounts send one_time at most, test accounts template and one_time.
	CodeWrongKind Code = "wrong_kind"

	// CodeWrongState (HTTP 409): cancel and release need a message that is queued or held, retry one that failed, expired or is uncertain.
	CodeWrongState Code = "wrong_state"

	// CodeWrongType (HTTP 400): A field has another JSON type than it must have.
	CodeWrongType Code = "wrong_type"
)
