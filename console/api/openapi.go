package api

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// responses are the messages of successful calls, by pattern. A call that is not here answers with an
// object that the document does not describe.
var responses = map[string]any{
	"GET /api/v1/auth/introspect": introspectResponse{}, "GET /api/v1/users/{user}": userResponse{}, "POST /api/v1/search/users": usersResponse{},
	"GET /api/v1/apps": appsResponse{}, "POST /api/v1/apps": appResponse{}, "POST /api/v1/search/apps": appsResponse{}, "GET /api/v1/apps/{app}": appResponse{}, "POST /api/v1/apps/{app}": appResponse{},
	"GET /api/v1/apps/{app}/ownerids": userIDs{}, "GET /api/v1/apps/{app}/owners": ownersResponse{}, "PUT /api/v1/apps/{app}/owners": empty{}, "DELETE /api/v1/apps/{app}/owners": empty{},
	"GET /api/v1/apps/{app}/app_users": appUsersResponse{}, "GET /api/v1/apps/{app}/users/{user}/app_users": appUsersResponse{},
	"GET /api/v1/apps/{app}/entitlements": entitlementsResponse{}, "GET /api/v1/apps/{app}/entitlements/{entitlement}": entitlementResponse{},
	"POST /api/v1/apps/{app}/entitlements/{entitlement}": entitlementResponse{}, "GET /api/v1/apps/{app}/entitlements/{entitlement}/users/{user}/grants": grantsResponse{},
	"GET /api/v1/apps/{app}/entitlements/{entitlement}/ownerids": userIDs{}, "PUT /api/v1/apps/{app}/entitlements/{entitlement}/owners": empty{},
	"DELETE /api/v1/apps/{app}/entitlements/{entitlement}/owners": empty{}, "POST /api/v1/search/entitlements": entitlementsResponse{},
	"POST /api/v1/search/request_catalog/entitlements": catalogResponse{}, ownToken: createPersonalClientResponse{},
	"POST /api/v1/policies": policyResponse{}, "GET /api/v1/policies/{policy}": policyResponse{}, "POST /api/v1/policies/{policy}": policyResponse{}, "POST /api/v1/search/policies": policiesResponse{},
	"POST /api/v1/task/grant": taskResponse{}, "POST /api/v1/task/revoke": taskResponse{}, "POST /api/v1/search/tasks": tasksResponse{}, "GET /api/v1/tasks/{task}": taskResponse{},
	"POST /api/v1/tasks/{task}/action/approve": taskActionResponse{}, "POST /api/v1/tasks/{task}/action/deny": taskActionResponse{}, "POST /api/v1/tasks/{task}/action/comment": taskResponse{},
	"POST /api/v1/tasks/{task}/action/escalate": taskActionResponse{}, "POST /api/v1/tasks/{task}/action/close": taskActionResponse{},
	"POST /api/v1/tasks/{task}/action/update-request-data": taskActionResponse{},
	"GET /api/v1/apps/{app}/connectors":                    connectorsResponse{}, "POST /api/v1/apps/{app}/connectors": connectorResponse{}, "POST /api/v1/apps/{app}/connectors/create": connectorResponse{},
	"GET /api/v1/apps/{app}/connectors/{connector}": connectorResponse{}, "POST /api/v1/apps/{app}/connectors/{connector}": connectorResponse{},
	"POST /api/v1/apps/{app}/connectors/{connector}/delegated": connectorResponse{}, "POST /api/v1/apps/connectors/credentials": credentialResponse{},
	"GET /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}":  credentialResponse{},
	"POST /api/v1/apps/{app}/connectors/{connector}/credentials/{credential}": empty{},
	"GET /api/v1/accounts": accountsResponse{}, "GET /api/v1/accounts/{account}": accountResponse{}, "GET /api/v1/connectors/{connector}": ownConnectorResponse{},
	"POST /api/v1/connectors/{connector}/action/sync": ownConnectorResponse{}, "POST /api/v1/connectors/{connector}/action/pause": ownConnectorResponse{},
	"POST /api/v1/connectors/{connector}/action/resume": ownConnectorResponse{}, "GET /api/v1/syncs/{sync}": syncResponse{},
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// described are the routes. They have openAPI itself, which so cannot refer to them.
var described []route

func init() { described = routes }

// document returns the OpenAPI document of all calls, made from the table of routes and the messages.
func document() map[string]any {
	paths, schemas := map[string]map[string]any{}, schemas{}
	for _, r := range described {
		method, path, _ := strings.Cut(r.pattern, " ")
		schema := map[string]any{"type": "object"}
		if m, ok := responses[r.pattern]; ok {
			schema = schemas.of(reflect.TypeOf(m))
		}
		parameters := []any{}
		for _, name := range pathParameter.FindAllStringSubmatch(path, -1) {
			parameters = append(parameters, map[string]any{"name": name[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(method)] = map[string]any{
			"description": "Scope: " + r.scope + ". Right: " + r.right + ".", "parameters": parameters,
			"responses": map[string]any{
				"200":     map[string]any{"description": "Success", "content": map[string]any{"application/json": map[string]any{"schema": schema}}},
				"default": map[string]any{"description": "An error", "content": map[string]any{"application/json": map[string]any{"schema": schemas.of(reflect.TypeFor[status]())}}},
			},
		}
	}
	return map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "Baton console", "version": "v1"}, "paths": paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer"}}},
		"security":   []any{map[string]any{"bearer": []any{}}},
	}
}

// schemas are the schemas of messages by name.
type schemas map[string]any

// of returns the schema of a type as JSON has it.
func (s schemas) of(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[stamp]():
		return map[string]any{"type": []any{"string", "null"}, "format": "date-time"}
	case reflect.TypeFor[period]():
		return map[string]any{"type": []any{"string", "null"}}
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
		return s.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Struct:
		if _, known := s[t.Name()]; !known {
			s[t.Name()] = nil // it may have itself as a field
			s[t.Name()] = s.object(t)
		}
		return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": "integer"}
}

func (s schemas) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" {
			continue
		}
		schema := s.of(f.Type)
		if strings.Contains(options, "string") {
			schema = map[string]any{"type": "string"}
		}
		if f.Type.Kind() == reflect.Pointer && !strings.Contains(options, "omitempty") {
			schema = map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
		}
		if properties[name] = schema; !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

// openAPI returns the OpenAPI document.
func openAPI(*call) (any, error) { return document(), nil }
