package api

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"time"
)

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// described are the routes. They have openAPI itself, which so cannot refer to them.
var described []route

func init() { described = routes }

// document returns the OpenAPI document of all calls, made from the table of routes and the messages.
func document() map[string]any {
	paths, schemas := map[string]map[string]any{}, schemas{}
	for _, r := range described {
		method, path, _ := strings.Cut(r.pattern, " ")
		content := map[string]any{"application/octet-stream": map[string]any{}}
		if r.response != nil {
			content = map[string]any{"application/json": map[string]any{"schema": schemas.of(r.response, false)}}
		}
		parameters := []any{}
		for _, name := range pathParameter.FindAllStringSubmatch(path, -1) {
			parameters = append(parameters, map[string]any{"name": name[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
		for _, name := range r.query {
			parameters = append(parameters, map[string]any{"name": name, "in": "query", "schema": map[string]any{"type": "string"}})
		}
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		operation := map[string]any{
			"description": "Scope: " + r.scope + ". Right: " + r.right + ".", "parameters": parameters,
			"responses": map[string]any{
				"200":     map[string]any{"description": "Success", "content": content},
				"default": map[string]any{"description": "An error", "content": map[string]any{"application/json": map[string]any{"schema": schemas.of(reflect.TypeFor[status](), false)}}},
			},
		}
		if r.request != nil {
			operation["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": schemas.of(r.request, true)}}}
		}
		paths[path][strings.ToLower(method)] = operation
	}
	return map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "Baton console", "version": "v1"}, "paths": paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer"}}},
		"security":   []any{map[string]any{"bearer": []any{}}},
	}
}

// schemas are the schemas of messages by name.
type schemas map[string]any

// of returns the schema of a type as JSON has it. Requests may leave out any field.
func (s schemas) of(t reflect.Type, request bool) map[string]any {
	switch t {
	case reflect.TypeFor[stamp]():
		return map[string]any{"type": []any{"string", "null"}, "format": "date-time"}
	case reflect.TypeFor[period]():
		return map[string]any{"type": []any{"string", "null"}}
	case reflect.TypeFor[number]():
		return map[string]any{"type": []any{"integer", "string"}}
	case reflect.TypeFor[null](), reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case reflect.TypeFor[words]():
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}
	case reflect.TypeFor[packed]():
		return map[string]any{"type": "object", "required": []any{"@type"}, "properties": map[string]any{"@type": map[string]any{"type": "string"}}}
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), request)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem(), request)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem(), request)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Struct:
		name := t.Name()
		if name == "" {
			return s.object(t, request)
		}
		if request {
			name = strings.TrimSuffix(name, "Request") + "Request"
		}
		if _, known := s[name]; !known {
			s[name] = nil // it may have itself as a field
			s[name] = s.object(t, request)
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": "integer"}
}

func (s schemas) object(t reflect.Type, request bool) map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" {
			continue
		}
		schema := s.of(f.Type, request)
		if strings.Contains(options, "string") {
			schema = map[string]any{"type": "string"}
		}
		if f.Type.Kind() == reflect.Pointer && !strings.Contains(options, "omitempty") && !request {
			schema = map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
		}
		if properties[name] = schema; !strings.Contains(options, "omitempty") && !request {
			required = append(required, name)
		}
	}
	object := map[string]any{"type": "object", "properties": properties}
	if !request {
		object["required"] = required
	}
	return object
}

// openAPI returns the OpenAPI document.
func openAPI(*call) (*map[string]any, error) {
	d := document()
	return &d, nil
}
