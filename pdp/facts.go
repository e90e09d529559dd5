package pdp

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"aims/authz"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// EncodeFacts writes everything a decision is made from besides the policies
// and the arguments: principal, action, resource, the context without input and
// undeclared, and the entities, in Cedar's JSON forms. The bytes are canonical:
// one form for equal facts. An error means that a value has no such form, and
// that nothing may be decided by it.
func EncodeFacts(req cedar.Request, entities types.EntityMap) ([]byte, error) {
	return EncodeFactsFor(req, nil, entities)
}

// EncodeFactsFor writes the facts of a delegated request: those of DecideFor.
func EncodeFactsFor(req cedar.Request, delegators []types.EntityUID, entities types.EntityMap) ([]byte, error) {
	e := factsEncoder{out: make([]byte, 0, 2048)}
	e.raw(`{"action":`)
	e.uid(req.Action)
	e.raw(`,"context":`)
	e.record(req.Context, inputAttribute, undeclaredAttribute)
	if len(delegators) > 0 {
		e.raw(`,"delegators":[`)
		for i, uid := range delegators {
			if i > 0 {
				e.raw(",")
			}
			e.uid(uid)
		}
		e.raw("]")
	}
	e.raw(`,"entities":[`)
	for i, uid := range slices.SortedFunc(maps.Keys(entities), compareUIDs) {
		if i > 0 {
			e.raw(",")
		}
		e.entity(uid, entities[uid])
	}
	e.raw(`],"principal":`)
	e.uid(req.Principal)
	e.raw(`,"resource":`)
	e.uid(req.Resource)
	e.raw("}")
	if e.err != nil {
		return nil, fmt.Errorf("facts: %w", e.err)
	}
	return e.out, nil
}

// factsEncoder refuses what the decoder would: it counts depth and values as
// the parser does.
type factsEncoder struct {
	out    []byte
	err    error
	depth  int
	values int
}

func (e *factsEncoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

// enter counts n values that begin here; leave ends the innermost of them.
func (e *factsEncoder) enter(n int) {
	e.depth++
	if e.values += n; e.depth > maxDepth-8 || e.values > maxValues-8 {
		e.fail("more than %d values, or nested more than %d deep", maxValues-8, maxDepth-8)
	}
}

func (e *factsEncoder) leave() { e.depth-- }

func (e *factsEncoder) raw(s string) { e.out = append(e.out, s...) }

// str writes a string with the escapes of RFC 8785 §3.2.2.2.
func (e *factsEncoder) str(s string) {
	if !utf8.ValidString(s) {
		e.fail("a string is not UTF-8")
	}
	const hex = "0123456789abcdef"
	e.out = append(e.out, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		e.out = append(e.out, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			e.out = append(e.out, '\\', c)
		case '\b', '\t', '\n', '\f', '\r':
			e.out = append(e.out, '\\', "btn_fr"[c-'\b'])
		default:
			e.out = append(e.out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	e.out = append(append(e.out, s[start:]...), '"')
}

func (e *factsEncoder) uid(uid types.EntityUID) {
	e.enter(3)
	defer e.leave()
	e.raw(`{"id":`)
	e.str(string(uid.ID))
	e.raw(`,"type":`)
	e.str(string(uid.Type))
	e.raw("}")
}

func (e *factsEncoder) entity(uid types.EntityUID, entity types.Entity) {
	e.enter(4)
	defer e.leave()
	if uid != entity.UID {
		e.fail("entity %s is filed under %s", entity.UID, uid)
	}
	e.raw(`{"attrs":`)
	e.record(entity.Attributes)
	e.raw(`,"parents":[`)
	for i, parent := range slices.SortedFunc(entity.Parents.All(), compareUIDs) {
		if i > 0 {
			e.raw(",")
		}
		e.uid(parent)
	}
	e.raw("]")
	if entity.Tags.Len() > 0 {
		e.raw(`,"tags":`)
		e.record(entity.Tags)
	}
	e.raw(`,"uid":`)
	e.uid(uid)
	e.raw("}")
}

func (e *factsEncoder) record(r types.Record, without ...types.String) {
	var buffer [16]types.String
	names := buffer[:0]
	for name := range r.Keys() {
		if !slices.Contains(without, name) {
			names = append(names, name)
		}
		if name == "__entity" || name == "__extn" {
			e.fail("a record with the attribute %q has no form in Cedar's JSON", name)
		}
	}
	slices.Sort(names)
	e.raw("{")
	for i, name := range names {
		if i > 0 {
			e.raw(",")
		}
		e.str(string(name))
		e.raw(":")
		value, _ := r.Get(name)
		e.value(value)
	}
	e.raw("}")
}

func (e *factsEncoder) value(v types.Value) {
	e.enter(1)
	defer e.leave()
	if e.err != nil {
		return // too deep, perhaps
	}
	switch v := v.(type) {
	case types.String:
		e.str(string(v))
	case types.Boolean:
		e.out = strconv.AppendBool(e.out, bool(v))
	case types.Long:
		e.out = strconv.AppendInt(e.out, int64(v), 10)
	case types.EntityUID:
		e.raw(`{"__entity":`)
		e.uid(v)
		e.raw("}")
	case types.Record:
		e.record(v)
	case types.Set:
		e.set(v)
	case types.Decimal:
		e.extension("decimal", v.String(), v)
	case types.Datetime:
		e.extension("datetime", v.String(), v)
	case types.Duration:
		e.extension("duration", v.String(), v)
	case types.IPAddr:
		e.address(v)
	default:
		e.fail("a value of type %T has no form in Cedar's JSON", v)
	}
}

// extension writes the call that makes the value, and makes sure that it does:
// Cedar has values at the ends of its ranges that it writes and cannot read.
func (e *factsEncoder) extension(fn, arg string, v types.Value) {
	e.enter(3)
	defer e.leave()
	e.raw(`{"__extn":{"arg":`)
	e.str(arg)
	e.raw(`,"fn":"` + fn + `"}}`)
	if again, err := extension(fn, arg); err != nil || !again.Equal(v) {
		e.fail("the %s %s has no form in Cedar's JSON", fn, arg)
	}
}

// address writes an IPv4 address within IPv6 in hexadecimal: Cedar does not
// read the form with points.
func (e *factsEncoder) address(a types.IPAddr) {
	arg := a.String()
	if a.Addr().Is4In6() {
		b := a.Addr().As16()
		arg = fmt.Sprintf("::ffff:%x:%x", int(b[12])<<8|int(b[13]), int(b[14])<<8|int(b[15]))
		if bits := a.Prefix().Bits(); bits != 128 {
			arg += "/" + strconv.Itoa(bits)
		}
	}
	e.extension("ip", arg, a)
}

// set writes the elements sorted by their own bytes, each once.
func (e *factsEncoder) set(s types.Set) {
	if s.Len() > maxElements {
		e.fail("a set of more than %d elements", maxElements)
		return
	}
	if s.Len() == 0 {
		e.raw("[]")
		return
	}
	all := factsEncoder{depth: e.depth, values: e.values, out: make([]byte, 0, 32*s.Len())}
	elems := make([]span, 0, s.Len())
	for v := range s.All() {
		from := len(all.out)
		all.value(v)
		elems = append(elems, span{from, len(all.out)})
	}
	if e.err, e.values = all.err, all.values; e.err != nil {
		return
	}
	slices.SortFunc(elems, func(a, b span) int { return bytes.Compare(all.out[a.from:a.to], all.out[b.from:b.to]) })
	e.raw("[")
	for i, elem := range elems {
		if i > 0 {
			e.raw(",")
		}
		e.out = append(e.out, all.out[elem.from:elem.to]...)
	}
	e.raw("]")
}

// span is a part of what was written.
type span struct{ from, to int }

// extension calls a constructor of an extension type.
func extension(fn, arg string) (types.Value, error) {
	switch fn {
	case "decimal":
		return types.ParseDecimal(arg)
	case "datetime":
		return types.ParseDatetime(arg)
	case "duration":
		return types.ParseDuration(arg)
	case "ip":
		return types.ParseIPAddr(arg)
	}
	return nil, fmt.Errorf("unknown extension %q", fn)
}

// Redecide decides again from recorded facts and arguments. With the policies
// and the facts of the first decision, the decision is the same. Facts that
// EncodeFacts would not have written are refused.
func (s *Set) Redecide(facts, input []byte) (authz.Decision, error) {
	d, err := decodeFacts(facts)
	if err != nil {
		return authz.Decision{}, fmt.Errorf("facts: %w", err)
	}
	req, err := s.Complete(d.request, input)
	if err != nil {
		return authz.Decision{}, err
	}
	return s.DecideFor(req, d.delegators, d.entities), nil
}

// decoded are facts that were read.
type decoded struct {
	request    cedar.Request
	delegators []types.EntityUID
	entities   types.EntityMap
}

// decodeFacts reads facts, and by writing them again makes sure that they are canonical.
func decodeFacts(facts []byte) (decoded, error) {
	var d factsDecoder
	root, err := parseJSON(facts)
	if err != nil {
		return decoded{}, err
	}
	members := d.object(root, "action", "context", "delegators", "entities", "principal", "resource")
	f := decoded{request: cedar.Request{
		Action:    d.uid(members["action"]),
		Principal: d.uid(members["principal"]),
		Resource:  d.uid(members["resource"]),
		Context:   d.record(members["context"]),
	}}
	for _, v := range members["delegators"].elems {
		f.delegators = append(f.delegators, d.uid(v))
	}
	list := members["entities"]
	f.entities = make(types.EntityMap, len(list.elems))
	for _, v := range list.elems {
		e := d.entity(v)
		f.entities[e.UID] = e
	}
	if d.err != nil {
		return decoded{}, d.err
	}
	again, err := EncodeFactsFor(f.request, f.delegators, f.entities)
	if err != nil {
		return decoded{}, err
	}
	if !bytes.Equal(again, facts) {
		return decoded{}, errors.New("not in canonical form")
	}
	return f, nil
}

// factsDecoder reads the forms that factsEncoder writes. It need not be strict
// about their order: decodeFacts compares the bytes in the end.
type factsDecoder struct {
	err error
}

func (d *factsDecoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// object gives the members of an object that has no others than the named ones.
func (d *factsDecoder) object(v jsonValue, names ...string) map[string]jsonValue {
	out := make(map[string]jsonValue, len(names))
	for _, m := range v.members {
		if !slices.Contains(names, m.name) {
			d.fail("unknown member %q", m.name)
		}
		out[m.name] = m.value
	}
	return out
}

func (d *factsDecoder) uid(v jsonValue) types.EntityUID {
	m := d.object(v, "id", "type")
	return types.NewEntityUID(types.EntityType(m["type"].text), types.String(m["id"].text))
}

func (d *factsDecoder) entity(v jsonValue) types.Entity {
	m := d.object(v, "attrs", "parents", "tags", "uid")
	e := types.Entity{UID: d.uid(m["uid"]), Attributes: d.record(m["attrs"]), Tags: d.record(m["tags"])}
	var parents []types.EntityUID
	for _, p := range m["parents"].elems {
		parents = append(parents, d.uid(p))
	}
	e.Parents = types.NewEntityUIDSet(parents...)
	return e
}

func (d *factsDecoder) record(v jsonValue) types.Record {
	if len(v.members) == 0 {
		return types.Record{}
	}
	out := make(types.RecordMap, len(v.members))
	for _, m := range v.members {
		out[types.String(m.name)] = d.value(m.value)
	}
	return types.NewRecord(out)
}

func (d *factsDecoder) value(v jsonValue) types.Value {
	switch v.kind {
	case jsonString:
		return types.String(v.text)
	case jsonBool:
		return types.Boolean(v.flag)
	case jsonNumber:
		n, err := strconv.ParseInt(v.text, 10, 64)
		if err != nil {
			d.fail("the number %s is not an integer of 64 bits", v.text)
		}
		return types.Long(n)
	case jsonArray:
		if len(v.elems) > maxElements {
			d.fail("a set of more than %d elements", maxElements)
			return types.Set{}
		}
		elems := make([]types.Value, len(v.elems))
		for i, e := range v.elems {
			elems[i] = d.value(e)
		}
		return types.NewSet(elems...)
	case jsonObject:
		return d.structured(v)
	}
	d.fail("null is not a value")
	return types.Boolean(false)
}

// structured reads an object that is an entity, an extension value or a record.
func (d *factsDecoder) structured(v jsonValue) types.Value {
	if len(v.members) != 1 {
		return d.record(v)
	}
	switch only := v.members[0]; only.name {
	case "__entity":
		return d.uid(only.value)
	case "__extn":
		m := d.object(only.value, "arg", "fn")
		value, err := extension(m["fn"].text, m["arg"].text)
		if err != nil {
			d.fail("%w", err)
			return types.Boolean(false)
		}
		return value
	}
	return d.record(v)
}

// RolesIn are the roles of the principal in recorded facts, sorted.
func RolesIn(facts []byte) ([]string, error) {
	d, err := decodeFacts(facts)
	if err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	var roles []string
	for parent := range d.entities[d.request.Principal].Parents.All() {
		if parent.Type == "Role" {
			roles = append(roles, string(parent.ID))
		}
	}
	slices.Sort(roles)
	return roles, nil
}
