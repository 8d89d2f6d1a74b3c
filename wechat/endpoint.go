package wechat

// Endpoint is the path of one of the platform's interfaces, with its leading
// slash and without host or query.
type Endpoint string

// The endpoints this package calls by name. Client.Do takes any other path as well.
const (
	// Tokens and the account's own affairs (spec §3).
	EndpointToken         Endpoint = "/cgi-bin/token"
	EndpointStableToken   Endpoint = "/cgi-bin/stable_token"
	EndpointClearQuota    Endpoint = "/cgi-bin/clear_quota"
	EndpointClearQuotaV2  Endpoint = "/cgi-bin/clear_quota/v2"
	EndpointQuotaGet      Endpoint = "/cgi-bin/openapi/quota/get"
	EndpointQuotaClear    Endpoint = "/cgi-bin/openapi/quota/clear"
	EndpointRIDGet        Endpoint = "/cgi-bin/openapi/rid/get"
	EndpointAPIDomainIP   Endpoint = "/cgi-bin/get_api_domain_ip"
	EndpointCallbackIP    Endpoint = "/cgi-bin/getcallbackip"
	EndpointCallbackCheck Endpoint = "/cgi-bin/callback/check"

	// Template messages of official accounts (spec §4).
	EndpointIndustrySet     Endpoint = "/cgi-bin/template/api_set_industry"
	EndpointIndustryGet     Endpoint = "/cgi-bin/template/get_industry"
	EndpointTemplateList    Endpoint = "/cgi-bin/template/get_all_private_template"
	EndpointTemplateAdd     Endpoint = "/cgi-bin/template/api_add_template"
	EndpointTemplateDelete  Endpoint = "/cgi-bin/template/del_private_template"
	EndpointTemplateSend    Endpoint = "/cgi-bin/message/template/send"
	EndpointTemplateBlocked Endpoint = "/wxa/sec/queryblocktmplmsg"
	EndpointOneTimeSend     Endpoint = "/cgi-bin/message/template/subscribe"

	// Template messages of mini programs, retired (spec §6).
	EndpointMiniTemplateSend   Endpoint = "/cgi-bin/message/wxopen/template/send"
	EndpointMiniLibraryList    Endpoint = "/cgi-bin/wxopen/template/library/list"
	EndpointMiniLibraryGet     Endpoint = "/cgi-bin/wxopen/template/library/get"
	EndpointMiniTemplateAdd    Endpoint = "/cgi-bin/wxopen/template/add"
	EndpointMiniTemplateList   Endpoint = "/cgi-bin/wxopen/template/list"
	EndpointMiniTemplateDelete Endpoint = "/cgi-bin/wxopen/template/del"

	// What came after them (spec §7); uniform_send is retired too.
	EndpointSubscribeSend     Endpoint = "/cgi-bin/message/subscribe/send"
	EndpointNoticeSend        Endpoint = "/cgi-bin/message/subscribe/bizsend"
	EndpointUniformSend       Endpoint = "/cgi-bin/message/wxopen/template/uniform_send"
	EndpointNewTmplAdd        Endpoint = "/wxaapi/newtmpl/addtemplate"
	EndpointNewTmplDelete     Endpoint = "/wxaapi/newtmpl/deltemplate"
	EndpointNewTmplCategories Endpoint = "/wxaapi/newtmpl/getcategory"
	EndpointNewTmplTitles     Endpoint = "/wxaapi/newtmpl/getpubtemplatetitles"
	EndpointNewTmplKeywords   Endpoint = "/wxaapi/newtmpl/getpubtemplatekeywords"
	EndpointNewTmplList       Endpoint = "/wxaapi/newtmpl/gettemplate"
)

// alwaysHasCode names the endpoints whose success is nothing but an errcode and
// perhaps a msgid. A JSON object without either came from somebody in between.
func alwaysHasCode(op Endpoint) bool {
	switch op {
	case EndpointTemplateSend, EndpointMiniTemplateSend, EndpointSubscribeSend, EndpointNoticeSend,
		EndpointOneTimeSend, EndpointUniformSend,
		EndpointTemplateDelete, EndpointMiniTemplateDelete, EndpointNewTmplDelete,
		EndpointIndustrySet, EndpointClearQuota, EndpointClearQuotaV2, EndpointQuotaClear:
		return true
	}
	return false
}

// takesSecret names the endpoints that know the caller by AppSecret instead of by
// an access token.
func takesSecret(op Endpoint) bool {
	switch op {
	case EndpointToken, EndpointStableToken, EndpointClearQuotaV2:
		return true
	}
	return false
}
