package scim

import (
	"net/http"

	"baton"
	"baton/internal/scim"
)

// providerConfig responds with what the server offers (RFC 7643 section 5).
func providerConfig(c *call) error {
	supported := func(on bool) scim.Object { return scim.Object{{"supported", on}} }
	c.write(http.StatusOK, scim.Object{
		{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"}},
		{"patch", supported(true)},
		{"bulk", scim.Object{{"supported", false}, {"maxOperations", 0}, {"maxPayloadSize", 0}}},
		{"filter", scim.Object{{"supported", true}, {"maxResults", maxCount}}},
		{"changePassword", supported(false)},
		{"sort", supported(false)},
		{"etag", supported(true)},
		{"authenticationSchemes", []any{scim.Object{{"type", "oauthbearertoken"}, {"name", "Bearer token"},
			{"description", "The token that the console shows once for this identity provider"}, {"primary", true}}}},
		{"meta", scim.Object{{"resourceType", "ServiceProviderConfig"}, {"location", c.base + "/ServiceProviderConfig"}}},
	})
	return nil
}

// described responds with the resource that the path names, or with all in a list.
func described(c *call, all []scim.Object) error {
	id := c.r.PathValue("id")
	if id == "" {
		rows := make([]any, len(all))
		for i, o := range all {
			rows[i] = o
		}
		c.write(http.StatusOK, scim.Object{{"schemas", []any{listURN}}, {"totalResults", len(all)}, {"startIndex", 1}, {"itemsPerPage", len(all)}, {"Resources", rows}})
		return nil
	}
	for _, o := range all {
		if o.Get("id") == id {
			c.write(http.StatusOK, o)
			return nil
		}
	}
	return baton.Errorf(baton.NotFound, "there is no %.100q", id)
}

func resourceTypes(c *call) error {
	describe := func(name, schema string, extensions ...any) scim.Object {
		o := scim.Object{{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}}, {"id", name}, {"name", name},
			{"endpoint", "/" + name + "s"}, {"schema", schema}}
		if len(extensions) > 0 {
			o.Set("schemaExtensions", extensions)
		}
		o.Set("meta", scim.Object{{"resourceType", "ResourceType"}, {"location", c.base + "/ResourceTypes/" + name}})
		return o
	}
	return described(c, []scim.Object{
		describe("User", scim.UserURN, scim.Object{{"schema", scim.EnterpriseURN}, {"required", false}}),
		describe("Group", scim.GroupURN),
	})
}

// attribute describes an attribute (RFC 7643 section 7). A description is required by some clients.
func attribute(name, kind, description string, change ...scim.Attr) scim.Object {
	o := scim.Object{{"name", name}, {"type", kind}, {"multiValued", false}, {"description", description}, {"required", false}, {"caseExact", false},
		{"mutability", "readWrite"}, {"returned", "default"}, {"uniqueness", "none"}}
	if kind == "boolean" || kind == "complex" {
		o.Remove("caseExact")
	}
	for _, a := range change {
		o.Set(a.Name, a.Value)
	}
	return o
}

func plain(names []string, description string) (all []any) {
	for _, name := range names {
		all = append(all, attribute(name, "string", description))
	}
	return all
}

func schemas(c *call) error {
	describe := func(id, name, description string, attributes ...any) scim.Object {
		return scim.Object{{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:Schema"}}, {"id", id}, {"name", name}, {"description", description}, {"attributes", attributes},
			{"meta", scim.Object{{"resourceType", "Schema"}, {"location", c.base + "/Schemas/" + id}}}}
	}
	set := func(name string, value any) scim.Attr { return scim.Attr{Name: name, Value: value} }
	readOnly, many := set("mutability", "readOnly"), set("multiValued", true)
	reference := func(kind string) scim.Object {
		return attribute("$ref", "reference", "Its address", set("caseExact", true), readOnly, set("referenceTypes", []any{kind}))
	}
	user := []any{
		attribute("userName", "string", "The name that the user signs in with, usually an e-mail address", set("required", true), set("uniqueness", "server")),
		attribute("externalId", "string", "The id of the user at the identity provider", set("caseExact", true)),
		attribute("active", "boolean", "Whether the user may sign in; if not, the person is disabled"),
		attribute("name", "complex", "The parts of the name", set("subAttributes", plain(nameParts, "A part of the name"))),
		attribute("emails", "complex", "The e-mail addresses", many, set("subAttributes", []any{attribute("value", "string", "The address"), attribute("display", "string", "For display"),
			attribute("type", "string", "For example work or home"), attribute("primary", "boolean", "Whether it is the main one")})),
		attribute("groups", "complex", "The groups of the user", many, readOnly, set("subAttributes", []any{
			attribute("value", "string", "The id of the group", readOnly), reference("Group"), attribute("display", "string", "The name of the group", readOnly), attribute("type", "string", "How the user is a member", readOnly)})),
	}
	user = append(user, plain(texts, "For display")...)
	enterprise := append(plain(enterpriseTexts, "About the employment"), attribute("manager", "complex", "The manager", set("subAttributes", []any{
		attribute("value", "string", "The id of the manager here, or the external id, user name or e-mail address"), attribute("displayName", "string", "For display")})))
	return described(c, []scim.Object{
		describe(scim.UserURN, "User", "A user", user...),
		describe(scim.EnterpriseURN, "EnterpriseUser", "What a company knows about a user", enterprise...),
		describe(scim.GroupURN, "Group", "A group of users",
			attribute("displayName", "string", "The name of the group", set("required", true), set("uniqueness", "server")),
			attribute("externalId", "string", "The id of the group at the identity provider", set("caseExact", true)),
			attribute("members", "complex", "The members", many, set("subAttributes", []any{attribute("value", "string", "The id of the user", set("mutability", "immutable")), reference("User"),
				attribute("display", "string", "The name of the user", readOnly), attribute("type", "string", "User", set("mutability", "immutable"))}))),
	})
}
