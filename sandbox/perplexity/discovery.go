package perplexity

import (
	"fmt"
	"net/http"

	"baton/internal/scim"
)

// discovery answers requests to the endpoints that describe the server.
func (x *exchange) discovery(resource, id string) *answer {
	if x.r.Method != http.MethodGet {
		return notAllowed("GET")
	}
	if resource == "ServiceProviderConfig" && id == "" {
		return x.one(http.StatusOK, x.providerConfig(), nil)
	}
	all := x.resourceTypes()
	if resource == "Schemas" {
		all = x.schemas()
	}
	if id == "" {
		e := encoder{}
		rows := make([]any, len(all))
		for i, o := range all {
			rows[i] = o
		}
		e.value(object{{"schemas", []any{listURN}}, {"totalResults", len(all)}, {"startIndex", 1}, {"itemsPerPage", len(all)}, {"Resources", rows}})
		return &answer{status: http.StatusOK, header: scimHeader(), body: e.buf}
	}
	for _, o := range all {
		if o.Get("id") == id {
			return x.one(http.StatusOK, o, nil)
		}
	}
	return fail(404, "", "Resource %s not found", id).answer()
}

// providerConfig returns the capabilities of the server.
func (x *exchange) providerConfig() object {
	f := x.s.faults
	supported := func(on bool) object { return object{{"supported", on}} }
	filter := append(supported(!f.On("filter-unsupported")), attr{"maxResults", maxCount})
	config := object{
		{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"}},
		{"patch", supported(true)},
		{"bulk", object{{"supported", false}, {"maxOperations", 0}, {"maxPayloadSize", 0}}},
		{"filter", filter},
		{"changePassword", supported(false)},
		{"sort", supported(false)},
		{"etag", supported(true)},
		{"authenticationSchemes", []any{object{{"type", "oauthbearertoken"}, {"name", "Bearer token"},
			{"description", "the static token of the directory"}, {"primary", true}}}},
	}
	if x.s.offersCursors() {
		method := "index"
		if f.On("cursor-only") {
			method = "cursor"
		}
		config = append(config, attr{"pagination", object{{"cursor", true}, {"index", !f.On("cursor-only")},
			{"defaultPaginationMethod", method}, {"defaultPageSize", defaultCount}, {"maxPageSize", maxCount}}})
	}
	return append(config, attr{"meta", object{{"resourceType", "ServiceProviderConfig"}, {"location", x.base + "/ServiceProviderConfig"}}})
}

func (x *exchange) resourceTypes() []object {
	describe := func(name, schema string) object {
		return object{{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}}, {"id", name}, {"name", name},
			{"endpoint", fmt.Sprintf("/%ss", name)}, {"schema", schema},
			{"meta", object{{"resourceType", "ResourceType"}, {"location", x.base + "/ResourceTypes/" + name}}}}
	}
	return []object{describe("User", scim.UserURN), describe("Group", scim.GroupURN)}
}

// schemas describes the attributes that the server understands.
func (x *exchange) schemas() []object {
	describe := func(id, name string, attributes ...any) object {
		return object{{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:Schema"}}, {"id", id}, {"name", name}, {"attributes", attributes},
			{"meta", object{{"resourceType", "Schema"}, {"location", x.base + "/Schemas/" + id}}}}
	}
	field := func(name, kind string, multi, required, readOnly bool, subs ...any) any {
		mutability := "readWrite"
		if readOnly {
			mutability = "readOnly"
		}
		o := object{{"name", name}, {"type", kind}, {"multiValued", multi}, {"required", required}, {"caseExact", name == "externalId"},
			{"mutability", mutability}, {"returned", "default"}, {"uniqueness", "none"}}
		if name == "userName" {
			o.Set("uniqueness", "server")
		}
		if len(subs) > 0 {
			o = append(o, attr{"subAttributes", subs})
		}
		return o
	}
	plain := func(name string) any { return field(name, "string", false, false, false) }
	var parts []any
	for _, p := range nameParts {
		parts = append(parts, plain(p))
	}
	return []object{
		describe(scim.UserURN, "User", field("userName", "string", false, true, false), plain("externalId"), plain("displayName"),
			field("active", "boolean", false, false, false), field("name", "complex", false, false, false, parts...),
			field("emails", "complex", true, false, false, plain("value"), plain("type"), plain("display"), field("primary", "boolean", false, false, false)),
			field("groups", "complex", true, false, true, plain("value"), plain("display"), plain("type"))),
		describe(scim.GroupURN, "Group", field("displayName", "string", false, true, false), plain("externalId"),
			field("members", "complex", true, false, false, plain("value"), plain("display"), plain("type"))),
	}
}
