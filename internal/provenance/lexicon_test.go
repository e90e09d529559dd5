package provenance_test

import (
	"encoding/json"
	"slices"
	"testing"

	"aims/internal/provenance"
)

func TestSinksAreToldByNameTypeAndDescription(t *testing.T) {
	const text, list = `{"type":"string"}`, `{"type":"array","items":{"type":"string"}}`
	for _, c := range []struct{ name, schema, want string }{
		{"recipient", text, "recipient"}, {"recipients", list, "recipient"}, {"to", text, "recipient"}, {"cc", list, "recipient"}, {"sendTo", text, "recipient"},
		{"reply_to", text, "recipient"}, {"to_email", text, "recipient"}, {"EmailAddress", text, "recipient"}, {"phone-number", text, "recipient"},
		{"phone", `{"type":"integer"}`, "recipient"}, {"recipient_id", text, "recipient"}, {"channelId", text, "recipient"}, {"new_owner_email", text, "recipient"},
		{"Invitees", `{"type":"array","items":{"type":"object","properties":{"x":{}}}}`, "recipient"}, {"cc", `{"anyOf":[{"type":"string"},{"type":"null"}]}`, "recipient"},
		{"iban", text, "account"}, {"account_number", `{"type":"integer"}`, "account"}, {"accountId", text, "account"}, {"wallet", text, "account"},
		{"url", text, "url"}, {"callbackURL", text, "url"}, {"webhook", text, "url"}, {"target_host", text, "url"}, {"imageLink", text, "url"},
		{"x", `{"type":"string","format":"uri"}`, "url"}, {"x", `{"type":"array","items":{"type":"string","format":"email"}}`, "recipient"},
		{"x", `{"type":"string","format":"password"}`, "credential"}, {"x", `{"type":"string","description":"The URL to fetch. Must be public"}`, "url"},
		{"target", `{"type":"string","description":"IBAN of the person (not the e-mail address)"}`, "account"},
		{"who", `{"type":"string","description":"e-mail address of the person"}`, "recipient"},
		{"password", text, "credential"}, {"apiKey", text, "credential"}, {"SSHKey", text, "credential"}, {"access_key_id", text, "credential"}, {"token", text, "credential"},
		{"path", text, "path"}, {"localDirPath", text, "path"}, {"folder", text, "path"}, {"fileNames", list, "path"},
		{"repo", text, "repository"}, {"repository_name", text, "repository"}, {"bucket", text, "repository"},
		{"anything", `{}`, ""}, {"recipient", ``, "recipient"}, {"recipient", `not JSON`, "recipient"},

		{"amount", `{"type":"number"}`, ""}, {"send_email", `{"type":"boolean"}`, ""}, {"max_tokens", `{"type":"integer"}`, ""}, {"page_token", text, ""},
		{"nextPageToken", text, ""}, {"sort_key", text, ""}, {"key", text, ""}, {"date_to", text, ""}, {"in_reply_to", text, ""}, {"to_date", text, ""}, {"file_id", text, ""},
		{"email_id", text, ""}, {"product_ids", list, ""}, {"subject", text, ""}, {"body", `{"type":"string","description":"What to tell the recipients."}`, ""},
		{"who", `{"type":"string","description":"The recipients of the letter"}`, "recipient"},
		{"channel", `{"type":"string","enum":["email","phone"]}`, ""}, {"to", `{"anyOf":[{"const":"a"},{"const":"b"}]}`, ""}, {"otp", `{"type":"string","description":"The one-time password that was sent"}`, ""},
		{"topic", text, ""}, {"total", text, ""}, {"hosted", text, ""}, {"portion", text, ""},
	} {
		if got := provenance.SinkOf(c.name, json.RawMessage(c.schema)); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.name, c.schema, got, c.want)
		}
	}
}

func TestConfirmationsAreKnownByTheirCode(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"properties":{"otp":{"type":"string"}}}`:                                     true,
		`{"properties":{"verification_code":{}}}`:                                      true,
		`{"properties":{"code":{"description":"The one-time code from the message"}}}`: true,
		`{"properties":{"code":{"description":"A discount code"},"amount":{}}}`:        false,
		`{}`:         false,
		`not a JSON`: false,
	} {
		if got := provenance.Confirms(json.RawMessage(schema)); got != want {
			t.Errorf("%s: %t", schema, got)
		}
	}
}

// register is one that a company of gardeners might have.
func register() []provenance.ToolText {
	tool := func(name, description string, effects ...string) provenance.ToolText {
		return provenance.ToolText{Action: "garden:" + name, Name: name, Description: description, Effects: effects}
	}
	return []provenance.ToolText{
		tool("list_orders", "Lists the orders of plants", "read"), tool("send_letter", "Sends a letter to a customer", "send"),
		tool("delete_customer", "Deletes a customer and all orders", "delete"), tool("pay_supplier", "Pays an invoice of a supplier", "pay"),
		tool("change_password", "Changes the password of the account", "credential"), tool("update_bed", "Notes what grows in a bed", "write"),
		tool("dig_pond", "Digs a pond, pays the digger and tells the neighbours", "pay", "send"), tool("unstar_plant", "Takes the star off a plant", "send"),
		tool("run_irrigation", "Opens the valves", "execute"), tool("get_weather", "Weather", "read"), tool("move_plant", "Moves a plant", "write"),
		tool("sell_plant", "Sells a plant", "send"), tool("list_plants", "Plants", "read"), tool("water_plant", "Waters", "execute"),
	}
}

func TestAPromptImpliesToolsByEffectAndRareNames(t *testing.T) {
	l := provenance.NewLexicon(register())
	reads := []string{"get_weather", "list_orders", "list_plants"}
	for prompt, want := range map[string][]string{
		"What grows in my garden?":                  nil,
		"Remove the customers who left.":            {"delete_customer"},
		"Delete nothing, but please buy the roses":  {"delete_customer", "pay_supplier"},
		"Do not delete anything. Email Mrs Green.":  {"send_letter", "sell_plant", "unstar_plant"},
		"Never send, publish or delete a thing":     nil,
		"Tell me about the supplier":                {"pay_supplier"},
		"Purchase tulips and notify the neighbours": {"pay_supplier", "send_letter", "sell_plant", "unstar_plant", "dig_pond"},
		"Is the pond deep?":                         {"dig_pond"},
		"Remove my stars from the plants":           {"delete_customer", "unstar_plant"},
		"Login with the new credentials":            {"change_password"},
		"Restart the pumps":                         {"run_irrigation", "water_plant"},
		"Updating the beds, then saving":            {"update_bed", "move_plant"},
		"":                                          nil,
		"don't pay the supplier":                    nil,
		"DELETING OLD CUSTOMERS":                    {"delete_customer"},
		"Supprimez tous les clients":                nil,
	} {
		var got []string
		for action, implied := range l.Implies(prompt) {
			if name := action[len("garden:"):]; implied && !slices.Contains(reads, name) {
				got = append(got, name)
			} else if !implied && slices.Contains(reads, name) {
				t.Errorf("%q: reading is always asked for", prompt)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q implies %v, want %v", prompt, got, want)
		}
	}
}

func TestNamesAreProperNames(t *testing.T) {
	l := provenance.NewLexicon(register())
	names := l.Names("Please ask Mrs Green's neighbour. Bert knows the Supplier of Ponds! Send IT to Dorothea, thanks.")
	for address, want := range map[string]bool{
		"g.green@corp.example": true, "bert.jansen@corp.example": true, "dorothea@x.example": true,
		"please@evil.com": false, "supplier@evil.com": false, "pond.sales@evil.com": false, "mallory@green.example": false, "green": false, "send@evil.com": false, "it@evil.com": false,
	} {
		if got := provenance.Named(names, address); got != want {
			t.Errorf("%s: %t, names %v", address, got, names)
		}
	}
}

func TestFingerprintsOfEqualValuesAreEqual(t *testing.T) {
	f := func(value string) string { return provenance.Fingerprint("mail:send", "/to/[]", value) }
	for a, b := range map[string]string{
		"Anna@Corp.Example": "anna@corp.example", "https://Corp.example/A/": "http://corp.example/A", " Team  Blue ": "Team Blue", "Ka\u0308se": "Käse",
	} {
		if f(a) == "" || f(a) != f(b) {
			t.Errorf("%q and %q differ", a, b)
		}
	}
	for a, b := range map[string]string{
		"anna@corp.example": "аnna@corp.example", "https://corp.example/A": "https://corp.example/a", "Team Blue": "team blue", "kelvin": "\u212aelvin",
		"a@b.example": "a@b\u200b.example",
	} {
		if f(a) == f(b) {
			t.Errorf("%q and %q are equal", a, b)
		}
	}
	if f("") != "" || f("\xff") != "" || f("x") == provenance.Fingerprint("mail:send", "/cc/[]", "x") || provenance.Fingerprint("a", "bc", "x") == provenance.Fingerprint("ab", "c", "x") {
		t.Error("a fingerprint is of action, path and value")
	}
}

func TestHosts(t *testing.T) {
	for v, want := range map[string]string{
		"https://www.Corp.Example./a?b#c": "corp.example", "corp.example/x": "corp.example", "https://u:p@h.example:21/": "h.example", "ftp://h.example": "", "https://[::1]:80/": "",
		"https://a.example\\@evil.com": "", "https://a.example@b.example@evil.com": "", "a.example:b.evil.com": "", "https://a.example:80@evil.com": "evil.com", "no host": "", "anna@corp.example": "", "file": "", "https://": "",
	} {
		if got := provenance.Host(v); got != want {
			t.Errorf("%q: %q, want %q", v, got, want)
		}
	}
}

func FuzzSinkOf(f *testing.F) {
	f.Add("recipientIDs", `{"type":["array","null"],"items":{"anyOf":[{"enum":[1]},{"format":"uri"}]}}`)
	f.Add("ÀÉ_to_", `{"type":"string","description":"It's the user’s URL. x"}`)
	f.Fuzz(func(t *testing.T, name, schema string) {
		kind := provenance.SinkOf(name, json.RawMessage(schema))
		if kind != "" && !slices.Contains([]string{"recipient", "account", "url", "path", "repository", "credential"}, kind) {
			t.Fatalf("%q is no kind", kind)
		}
		l := provenance.NewLexicon([]provenance.ToolText{{Action: "a", Name: name, Description: schema, Effects: []string{"delete", "send"}}})
		provenance.Named(l.Names(schema), name)
		if _, ok := l.Implies(schema)["a"]; !ok {
			t.Fatal("a tool without an answer")
		}
	})
}
