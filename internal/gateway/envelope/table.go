package envelope

// level is one object whose members are fields: those from first to last.
type level struct{ first, last Field }

var (
	messageLevel = level{JSONRPC, Error}
	paramsLevel  = level{Name, Ref}
	refLevel     = level{RefType, RefURI}
	metaLevel    = level{MetaProgressToken, MetaSession}
	resultLevel  = level{ResultMeta, ResultProtocolVersion}
	errorLevel   = level{ErrorCode, ErrorCode}
)

// inside is the level of a field's own members.
func inside(f Field) (level, bool) {
	switch f {
	case Params:
		return paramsLevel, true
	case Ref:
		return refLevel, true
	case Meta:
		return metaLevel, true
	case Result:
		return resultLevel, true
	case Error:
		return errorLevel, true
	}
	return level{}, false
}

// names are the members' names on the wire.
var names = [fieldCount]string{
	JSONRPC: "jsonrpc",
	ID:      "id",
	Method:  "method",
	Params:  "params",
	Result:  "result",
	Error:   "error",

	Name:            "name",
	URI:             "uri",
	Arguments:       "arguments",
	Cursor:          "cursor",
	Meta:            "_meta",
	RequestID:       "requestId",
	ProgressToken:   "progressToken",
	RequestState:    "requestState",
	InputResponses:  "inputResponses",
	ProtocolVersion: "protocolVersion",
	Level:           "level",
	Ref:             "ref",

	RefType: "type",
	RefName: "name",
	RefURI:  "uri",

	MetaProgressToken:      "progressToken",
	MetaProtocolVersion:    "io.modelcontextprotocol/protocolVersion",
	MetaClientInfo:         "io.modelcontextprotocol/clientInfo",
	MetaClientCapabilities: "io.modelcontextprotocol/clientCapabilities",
	MetaLogLevel:           "io.modelcontextprotocol/logLevel",
	MetaSession:            "aims/session",

	ResultMeta:            "_meta",
	ResultType:            "resultType",
	ResultIsError:         "isError",
	ResultProtocolVersion: "protocolVersion",

	ErrorCode: "code",
}

func (f Field) String() string {
	if f == None || f >= fieldCount {
		return "no field"
	}
	return names[f]
}
