package provenance

import "strings"

// MailDomain is the domain of an e-mail address, in small letters. It is "" for
// what is none, and for the domains at which everybody can have a mailbox: that
// somebody has one of these says nothing about who it is.
func MailDomain(address string) string {
	v := Canonical(address)
	local, domain, ok := strings.Cut(v, "@")
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if !ok || local == "" || strings.ContainsAny(v, " ,;<>()\"") || strings.Contains(domain, "@") || !strings.Contains(domain, ".") || mailboxesForAll[domain] {
		return ""
	}
	return domain
}

// mailboxesForAll are domains at which everybody can have a mailbox.
var mailboxesForAll = setOf("126.com 163.com aol.com email.com fastmail.com gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hey.com " +
	"hotmail.com icloud.com inbox.com laposte.net libero.it live.com mac.com mail.com mail.ru me.com msn.com naver.com orange.fr outlook.com pm.me " +
	"posteo.de proton.me protonmail.com qq.com t-online.de tuta.com tutanota.com web.de yahoo.co.uk yahoo.com yahoo.de yandex.com yandex.ru ymail.com zoho.com")
