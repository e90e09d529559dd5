package provenance

import (
	"encoding/json"
	"slices"
	"strings"
)

// The kinds of sinks: what an argument chooses the destination of.
const (
	Recipient  = "recipient"  // who gets something, or gets access
	Account    = "account"    // where money goes
	URL        = "url"        // where a request goes
	Path       = "path"       // a place in a file system
	Repository = "repository" // a place that others read: repository, bucket, registry
	Credential = "credential" // what lets somebody in
)

// Words that name a sink, singular. They are English as tools use it.
var (
	urlWords        = setOf("url uri iri link href hyperlink endpoint webhook webhookurl host hostname domain website homepage callback redirect proxy ip")
	credentialWords = setOf("password passwd pwd passphrase passcode secret token credential apikey accesskey privatekey certificate")
	accountWords    = setOf("account accountnumber iban bic swift wallet payee beneficiary card")
	recipientWords  = setOf("recipient cc bcc participant attendee invitee guest collaborator member owner assignee reviewer approver " +
		"email emailaddress phone phonenumber mobile fax address addressee destination receiver channel chat room audience subscriber contact delegate grantee")
	pathWords       = setOf("path filepath dir dirname directory")
	repositoryWords = setOf("repo repository remote bucket registry")
	fileWords       = setOf("folder file filename attachment")

	// objectWords name what has an id of its own where an id is asked for: the id
	// of an e-mail is no address.
	objectWords = setOf("email address card link attachment contact file folder certificate")
	// keyOf says which keys open something; others sort, group or look up.
	keyOf = setOf("api access ssh private public secret signing encryption auth authentication gpg pgp deploy client host master license")
	// tokenOf says which tokens open nothing.
	tokenOf = setOf("page next previous cursor continuation continue pagination sync max min stop limit start end count")
	// givenTo are verbs after which "to" is a recipient.
	givenTo = setOf("send sent forward transfer share mail email deliver assign report invite reply copy pay submit notify")
)

// SinkOf says which kind of sink an argument is, by its name, and by the type,
// format and description in its JSON Schema; "" when it is none. An array is judged
// as its elements are; members of objects are arguments of their own. What a schema
// enumerates is no sink: the choice is the schema's.
func SinkOf(name string, schema json.RawMessage) string {
	a := argumentOf(schema)
	if a.enumerated || a.boolean {
		return ""
	}
	kind := sinkOfName(name)
	if kind == "" {
		kind = sinkOfFormat(a.format)
	}
	if kind == "" && a.text {
		kind = sinkOfDescription(a.description)
	}
	if a.number && kind != Account && kind != Recipient {
		return ""
	}
	return kind
}

// argument is what a schema says of an argument or its elements.
type argument struct {
	text, number, boolean, enumerated bool
	format, description               string
}

// schema is the part of a JSON Schema that SinkOf reads.
type schema struct {
	Type        json.RawMessage
	Format      string
	Description string
	Enum        []json.RawMessage
	Const       json.RawMessage
	Items       json.RawMessage
	AnyOf       []json.RawMessage
	OneOf       []json.RawMessage
	AllOf       []json.RawMessage
}

func argumentOf(raw json.RawMessage) argument {
	var a argument
	a.read(raw, depth)
	if a.text || raw == nil {
		a.number, a.boolean = false, false // it may be a text
	}
	return a
}

func (a *argument) read(raw json.RawMessage, layers int) {
	var s schema
	if layers == 0 || json.Unmarshal(raw, &s) != nil {
		return
	}
	var types []string
	var one string
	if json.Unmarshal(s.Type, &one) == nil {
		types = []string{one}
	} else if json.Unmarshal(s.Type, &types) != nil {
		types = nil
	}
	a.text = a.text || slices.Contains(types, "string")
	a.number = a.number || slices.Contains(types, "number") || slices.Contains(types, "integer")
	a.boolean = a.boolean || slices.Contains(types, "boolean")
	a.enumerated = a.enumerated || len(s.Enum) > 0 || len(s.Const) > 0
	if a.format == "" {
		a.format = s.Format
	}
	if a.description == "" {
		a.description = s.Description
	}
	for _, inner := range slices.Concat([]json.RawMessage{s.Items}, s.AnyOf, s.OneOf, s.AllOf) {
		a.read(inner, layers-1)
	}
}

func sinkOfName(name string) string {
	list := words(name)
	for i, w := range list {
		list[i] = singular(w)
	}
	id := false
	if n := len(list); n > 1 && list[n-1] == "id" {
		list, id = list[:n-1], true
	}
	has := func(set map[string]bool) bool {
		return slices.ContainsFunc(list, func(w string) bool { return set[w] && !(id && objectWords[w]) })
	}
	switch {
	case has(urlWords):
		return URL
	case isCredential(list):
		return Credential
	case has(pathWords):
		return Path
	case has(accountWords):
		return Account
	case has(recipientWords), isTo(list):
		return Recipient
	case has(repositoryWords):
		return Repository
	case has(fileWords):
		return Path
	}
	return ""
}

// isCredential judges "key" and "token" by the words that stand with them.
func isCredential(list []string) bool {
	with := func(set map[string]bool) bool {
		return slices.ContainsFunc(list, func(w string) bool { return set[w] })
	}
	for _, w := range list {
		switch {
		case w == "key" && with(keyOf):
			return true
		case w == "token":
			if !with(tokenOf) {
				return true
			}
		case credentialWords[w]:
			return true
		}
	}
	return false
}

// isTo tells "to" and "send_to" from "date_to" and "in_reply_to".
func isTo(list []string) bool {
	for i, w := range list {
		if w != "to" {
			continue
		}
		if len(list) == 1 || i > 0 && givenTo[list[i-1]] && list[0] != "in" || i == 0 && list[1] != "date" && list[1] != "time" && recipientWords[list[len(list)-1]] {
			return true
		}
	}
	return false
}

func sinkOfFormat(format string) string {
	switch format {
	case "uri", "uri-reference", "iri", "iri-reference", "url", "hostname", "idn-hostname", "ipv4", "ipv6":
		return URL
	case "email", "idn-email", "phone":
		return Recipient
	case "password":
		return Credential
	}
	return ""
}

// sinkOfDescription reads what the argument is: the text up to the first full
// stop or bracket. Only words that name nothing else count.
func sinkOfDescription(text string) string {
	if i := strings.IndexAny(text, ".(;\n"); i >= 0 {
		text = text[:i]
	}
	list := words(text)
	has := func(any ...string) bool {
		return slices.ContainsFunc(list, func(w string) bool { return slices.Contains(any, singular(w)) })
	}
	switch {
	case has("url", "uri", "webhook", "hostname"):
		return URL
	case has("sender", "author", "otp") || has("one") && has("time"):
		return "" // where something came from, or a code that was received
	case has("password", "passphrase"):
		return Credential
	case has("iban"):
		return Account
	case has("email", "mail") && has("address"), leads(list, "recipient"):
		return Recipient
	}
	return ""
}

// leads reports whether word is the first that is no article, "list" or "of".
func leads(list []string, word string) bool {
	for _, w := range list {
		if w != "the" && w != "a" && w != "list" && w != "of" {
			return singular(w) == word
		}
	}
	return false
}

// confirmWords name what completes a step that was asked for before.
var confirmWords = setOf("otp verification confirmation passcode")

// Confirms reports whether a tool with this input schema completes a call that
// was decided before: it takes a one-time password or a confirmation code.
func Confirms(inputSchema json.RawMessage) bool {
	var s struct {
		Properties map[string]struct{ Description string }
	}
	if json.Unmarshal(inputSchema, &s) != nil {
		return false
	}
	for name, p := range s.Properties {
		if slices.ContainsFunc(words(name), func(w string) bool { return confirmWords[singular(w)] }) {
			return true
		}
		if d := strings.ToLower(p.Description); strings.Contains(d, "one-time") || strings.Contains(d, "one time") {
			return true
		}
	}
	return false
}
