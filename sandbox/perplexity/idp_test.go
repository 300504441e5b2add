package perplexity_test

import (
	"fmt"
	"net/url"
	"testing"

	"baton/sandbox/perplexity"
)

// TestOkta provisions as Okta's SCIM client does: look up, create, push a group,
// rename it, deactivate.
func TestOkta(t *testing.T) {
	s := start(t, perplexity.Options{})
	lookUp := "/Users?startIndex=1&count=100&filter=" + url.QueryEscape(`userName eq "test.user@acme.example"`)
	if n := s.want(200, s.do("GET", lookUp, "")).total(); n != 0 {
		t.Fatalf("%d users", n)
	}
	id := s.want(201, s.do("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"test.user@acme.example",
		"name":{"givenName":"Test","familyName":"User"},"emails":[{"primary":true,"value":"test.user@acme.example","type":"work"}],
		"displayName":"Test User","locale":"en-US","externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true}`)).JSON["id"].(string)
	r := s.want(200, s.do("GET", lookUp, ""))
	if u := r.resources()[0]; u["id"] != id || u["password"] != nil || u["locale"] != "en-US" {
		t.Errorf("user %v", u)
	}
	s.want(409, s.do("POST", "/Users", `{"userName":"Test.User@acme.example","active":true}`))
	group := s.want(201, s.do("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Testers","members":[]}`)).JSON["id"].(string)
	s.want(200, s.do("PATCH", "/Groups/"+group, patch(`{"op":"replace","value":{"id":"`+group+`","displayName":"Test team"}}`)))
	s.want(200, s.do("PATCH", "/Groups/"+group, patch(`{"op":"remove","path":"members[value eq \"`+id+`\"]"}`,
		`{"op":"add","path":"members","value":[{"value":"`+id+`","display":"test.user@acme.example"}]}`)))
	if g := s.group("Test team"); fmt.Sprint(g.Members) != "["+id+"]" {
		t.Errorf("group %+v", g)
	}
	s.want(200, s.do("PATCH", "/Users/"+id, patch(`{"op":"replace","value":{"active":false}}`)))
	if u := s.user(id); u.Active {
		t.Error("still active")
	}
}

// TestEntra provisions as Microsoft Entra does: capitalised operations, booleans as
// strings, several attributes in one PATCH, removal by value.
func TestEntra(t *testing.T) {
	s := start(t, perplexity.Options{})
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	if n := s.want(200, s.do("GET", "/Users?filter="+url.QueryEscape(`userName eq "a3b1-probe"`), "")).total(); n != 0 {
		t.Errorf("the connection probe finds %d users", n)
	}
	id := s.want(201, s.do("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterprise+`"],"externalId":"0a21f0f2",
		"userName":"entra@acme.example","active":true,"emails":[{"primary":true,"type":"work","value":"entra@acme.example"}],
		"meta":{"resourceType":"User"},"name":{"formatted":"given family","familyName":"family","givenName":"given"},"roles":[]}`)).JSON["id"].(string)
	s.want(200, s.do("PATCH", "/Users/"+id, patch(`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"entra2@acme.example"}`,
		`{"op":"Replace","path":"name.familyName","value":"Updated"}`, `{"op":"Add","path":"`+enterprise+`:department","value":"Ops"}`)))
	s.want(200, s.do("PATCH", "/Users/"+id, patch(`{"op":"Replace","path":"active","value":"False"}`)))
	if u := s.user(id); u.Active || u.FamilyName != "Updated" || u.Email != "entra2@acme.example" {
		t.Errorf("user %+v", u)
	}
	if n := s.do("GET", "/Users?filter="+url.QueryEscape(`externalId eq "0a21f0f2"`), "").total(); n != 1 {
		t.Errorf("%d users with the externalId", n)
	}
	group := s.want(201, s.do("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"externalId":"8aa1","displayName":"Entra group"}`)).JSON["id"].(string)
	path := "/Groups/" + group
	if r := s.want(200, s.do("GET", path+"?excludedAttributes=members", "")); r.JSON["members"] != nil {
		t.Errorf("members %v", r.JSON["members"])
	}
	s.want(200, s.do("PATCH", path, patch(`{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+id+`"}]}`)))
	isMember := "/Groups?excludedAttributes=members&filter=" + url.QueryEscape(`id eq "`+group+`" and members eq "`+id+`"`)
	if n := s.do("GET", isMember, "").total(); n != 1 {
		t.Error("not a member")
	}
	s.want(200, s.do("PATCH", path, patch(`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"`+id+`"}]}`)))
	if n := s.do("GET", isMember, "").total(); n != 0 {
		t.Error("still a member")
	}
	s.want(204, s.do("DELETE", path, ""))
}
