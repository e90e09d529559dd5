package own

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/google/cel-go/common/types"

	"aims/internal/register/record"
)

// registersType is the type of all records together.
const registersType = "aims.Registers"

// table is the types of the records as CEL sees them.
type table struct {
	kinds   map[string]*types.Type            // by kind of record
	structs map[string]map[string]*types.Type // fields, by the name of a type
}

// shapes is made once: it depends on nothing but the types of the records.
var shapes = sync.OnceValue(func() table {
	t := table{map[string]*types.Type{}, map[string]map[string]*types.Type{}}
	registers := reflect.TypeFor[record.Registers]()
	t.addAs(registersType, registers)
	for i := range registers.NumField() {
		f := registers.Field(i)
		t.kinds[name(f)] = t.of(f.Type.Elem())
	}
	return t
})

// name is how a field is called in JSON, and in expressions.
func name(f reflect.StructField) string {
	n, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return n
}

// of is the type of Go values of a type.
func (t table) of(g reflect.Type) *types.Type {
	switch g.Kind() {
	case reflect.String:
		return types.StringType
	case reflect.Bool:
		return types.BoolType
	case reflect.Int, reflect.Int64:
		return types.IntType
	case reflect.Float64:
		return types.DoubleType
	case reflect.Slice:
		return types.NewListType(t.of(g.Elem()))
	case reflect.Map:
		return types.NewMapType(types.StringType, t.of(g.Elem()))
	case reflect.Pointer:
		if g.Elem().Kind() == reflect.Struct {
			return t.of(g.Elem())
		}
		return types.NewNullableType(t.of(g.Elem()))
	case reflect.Struct:
		return t.addAs("aims."+g.Name(), g)
	}
	panic(fmt.Sprintf("own: records have a field of type %s, which expressions cannot read", g)) // a test finds it
}

func (t table) addAs(typeName string, g reflect.Type) *types.Type {
	if t.structs[typeName] == nil {
		fields := map[string]*types.Type{}
		t.structs[typeName] = fields
		for _, f := range reflect.VisibleFields(g) {
			if !f.Anonymous && name(f) != "" && name(f) != "-" {
				fields[name(f)] = t.of(f.Type)
			}
		}
	}
	return types.NewObjectType(typeName)
}

// provider tells CEL the fields of records.
type provider struct {
	types.Provider
	shapes table
}

func (p *provider) FindStructType(typeName string) (*types.Type, bool) {
	if p.shapes.structs[typeName] == nil {
		return p.Provider.FindStructType(typeName)
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(typeName)), true
}

func (p *provider) FindStructFieldNames(typeName string) ([]string, bool) {
	fields := p.shapes.structs[typeName]
	if fields == nil {
		return p.Provider.FindStructFieldNames(typeName)
	}
	var names []string
	for n := range fields {
		names = append(names, n)
	}
	return names, true
}

func (p *provider) FindStructFieldType(typeName, field string) (*types.FieldType, bool) {
	fields := p.shapes.structs[typeName]
	if fields == nil {
		return p.Provider.FindStructFieldType(typeName, field)
	}
	t, ok := fields[field]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			m, ok := target.(map[string]any)
			return ok && m[field] != nil && !reflect.ValueOf(m[field]).IsZero()
		},
		GetFrom: func(target any) (any, error) {
			m, ok := target.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("there is nothing of which %s could be asked", field)
			}
			return m[field], nil
		},
	}, true
}

// recordValue is a record as expressions see it: every field is there.
func recordValue(rec any) any { return valueOf(reflect.ValueOf(rec)) }

func registersValue(r record.Registers) any { return valueOf(reflect.ValueOf(r)) }

func valueOf(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Int, reflect.Int64:
		return v.Int()
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return valueOf(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = valueOf(v.Index(i))
		}
		return list
	case reflect.Map:
		m := map[string]any{}
		for key, value := range v.Seq2() {
			m[key.String()] = valueOf(value)
		}
		return m
	case reflect.Struct:
		m := map[string]any{}
		for _, f := range reflect.VisibleFields(v.Type()) {
			if !f.Anonymous && name(f) != "" && name(f) != "-" {
				m[name(f)] = valueOf(v.FieldByIndex(f.Index))
			}
		}
		return m
	}
	return v.Interface()
}
