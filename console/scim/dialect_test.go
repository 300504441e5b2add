package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestOkta makes the requests with which Okta tests a server before it pushes, and those of its pushes.
func TestOkta(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		header := []string{"Accept", "application/scim+json", "Accept-Charset", "utf-8", "User-Agent", "OKTA SCIM Integration"}
		first := f.want(201, "POST", "/Users", newUser("first@example.com", `"name":{"givenName":"First","familyName":"User"}`, `"emails":[{"primary":true,"value":"first@example.com","type":"work"}]`, `"active":true`)).id()

		list := f.want(200, "GET", "/Users?count=1&startIndex=1", "", header...)
		for _, path := range []string{"Resources/0/id", "Resources/0/name/familyName", "Resources/0/name/givenName", "Resources/0/userName", "Resources/0/active", "Resources/0/emails/0/value"} {
			if v := list.at(path); v == nil || v == "" {
				t.Errorf("%s is %v in %s", path, v, list.body)
			}
		}
		if list.at("schemas/0") != "urn:ietf:params:scim:api:messages:2.0:ListResponse" || list.json["itemsPerPage"] != 1.0 || list.json["startIndex"] != 1.0 || list.json["totalResults"] != 1.0 {
			t.Errorf("list %s", list.body)
		}
		f.want(200, "GET", "/Users/"+first, "", header...)
		if a := f.want(200, "GET", `/Users?filter=userName eq "nobody@example.com"`, "", header...); a.json["totalResults"] != 0.0 || a.at("Resources") == nil {
			t.Errorf("nobody: %s", a.body)
		}
		f.refused(404, "", "GET", "/Users/a-user-that-is-not", "", header...)

		body := newUser("new@example.com", `"name":{"givenName":"New","familyName":"User"}`, `"emails":[{"primary":true,"value":"new@example.com","type":"work"}]`,
			`"displayName":"New User"`, `"locale":"en-US"`, `"externalId":"00ujl29u0le5T6Aj10h7"`, `"groups":[]`, `"password":"1mz050nq"`, `"active":true`)
		made := f.want(201, "POST", "/Users", body, header...)
		if made.json["active"] != true || made.id() == "" || made.at("name/familyName") != "User" || made.json["userName"] != "new@example.com" || made.at("schemas/0") != "urn:ietf:params:scim:schemas:core:2.0:User" || made.json["externalId"] != "00ujl29u0le5T6Aj10h7" {
			t.Errorf("created %s", made.body)
		}
		if strings.Contains(made.body, "1mz050nq") || made.json["password"] != nil {
			t.Errorf("the password comes back: %s", made.body)
		}
		if want := "https://console.example.com/scim/v2/Users/" + made.id(); made.header.Get("Location") != want || made.at("meta/location") != want || made.at("meta/resourceType") != "User" {
			t.Errorf("Location %q, meta %v", made.header.Get("Location"), made.json["meta"])
		}
		f.refused(409, "uniqueness", "POST", "/Users", body, header...)
		f.refused(409, "uniqueness", "POST", "/Users", strings.ReplaceAll(body, "new@example.com", "NEW@example.com"), header...)
		if a := f.want(200, "GET", `/Users?filter=userName eq "NEW@EXAMPLE.COM"&startIndex=1&count=100`, "", header...); a.json["totalResults"] != 1.0 || a.at("Resources/0/id") != made.id() {
			t.Errorf("in other letters: %s", a.body)
		}

		// It replaces the whole user after changes of the profile, and deactivates with a PATCH.
		f.want(200, "PUT", "/Users/"+made.id(), newUser("new@example.com", `"id":"`+made.id()+`"`, `"name":{"givenName":"Newer","familyName":"User"}`, `"emails":[{"primary":true,"value":"new@example.com","type":"work"}]`, `"active":true`, `"groups":[]`, `"meta":{"resourceType":"User"}`))
		if a := f.want(200, "PATCH", "/Users/"+made.id(), patch(`{"op":"replace","value":{"active":false}}`)); a.json["active"] != false || a.at("name/givenName") != "Newer" {
			t.Errorf("deactivated: %s", a.body)
		}
		// Of a group it looks for the name, creates it, and then sends its name with the members.
		f.want(200, "GET", `/Groups?filter=displayName eq "Team"&startIndex=1&count=100`, "", header...)
		group := f.want(201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Team","members":[]}`).id()
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"replace","value":{"id":"`+group+`","displayName":"The team"}}`,
			`{"op":"add","path":"members","value":[{"value":"`+first+`","display":"first@example.com"},{"value":"`+made.id()+`"}]}`, `{"op":"remove","path":"members[value eq \"`+made.id()+`\"]"}`))
		if a := f.want(200, "GET", "/Groups/"+group, ""); a.json["displayName"] != "The team" || a.at("members/0/value") != first || a.at("members/1") != nil {
			t.Errorf("group %s", a.body)
		}
		f.want(200, "PUT", "/Groups/"+group, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"The team","members":[{"value":"`+made.id()+`"}]}`)
		if a := f.want(200, "GET", "/Groups/"+group, ""); a.at("members/0/value") != made.id() || a.at("members/1") != nil {
			t.Errorf("group after PUT %s", a.body)
		}
		f.want(204, "DELETE", "/Groups/"+group, "")
		f.refused(404, "", "GET", "/Groups/"+group, "")
	})
}

// TestEntra makes the requests of Entra's validator and of its provisioning.
func TestEntra(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		if a := f.want(200, "GET", `/Users?filter=userName eq "a-random-value"`, ""); a.json["totalResults"] != 0.0 { // the connection test
			t.Errorf("%s", a.body)
		}
		manager := f.want(201, "POST", "/Users", newUser("boss@example.com")).id()
		made := f.want(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterprise+`"],"externalId":"0a21f0f2","userName":"test@example.com","active":true,"displayName":"Lennay",
			"emails":[{"primary":true,"type":"work","value":"test@example.com"}],"meta":{"resourceType":"User"},"name":{"formatted":"Adrienne","familyName":"Bell","givenName":"Ryan"},"roles":[],
			"addresses":[{"type":"work","locality":"x"}],"phoneNumbers":[{"type":"mobile","value":"1"}],"`+enterprise+`":{"employeeNumber":"7","department":"bob"}}`)
		id := made.id()
		if made.at(enterprise+"/department") != "bob" || made.at("schemas/1") != enterprise {
			t.Errorf("created %s", made.body)
		}
		if made.json["phoneNumbers"] != nil || made.json["addresses"] != nil {
			t.Errorf("private data is kept: %s", made.body)
		}
		for _, filter := range []string{`userName eq "test@example.com"`, `externalId eq "0a21f0f2"`, `emails[type eq "work"].value eq "TEST@example.com"`, `emails[type eq "work" and value eq "test@example.com"]`, `emails[not (type eq "home")].value eq "test@example.com"`,
			`emails.value eq "test@example.com" and active eq true`, `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "test@example.com"`, `active eq "True" and ` + enterprise + `:department eq "BOB"`} {
			if a := f.want(200, "GET", "/Users?filter="+filter, ""); a.json["totalResults"] != 1.0 || a.at("Resources/0/id") != id {
				t.Errorf("%s: %s", filter, a.body)
			}
		}
		for _, step := range []struct {
			ops        []string
			path, want string
		}{
			{[]string{`{"op":"Replace","path":"active","value":"False"}`}, "active", "false"},
			{[]string{`{"op":"Replace","path":"active","value":"True"}`}, "active", "true"},
			{[]string{`{"op":"Add","path":"` + enterprise + `:manager","value":"` + manager + `"}`}, enterprise + "/manager", `{"value":"` + manager + `"}`},
			{[]string{`{"op":"Replace","path":"` + enterprise + `:manager","value":[{"$ref":"http://x/Users/` + manager + `","value":"` + manager + `"}]}`}, enterprise + "/manager", `{"value":"` + manager + `"}`},
			{[]string{`{"op":"Replace","path":"` + enterprise + `:manager.displayName","value":"Boss"}`}, enterprise + "/manager/displayName", `"Boss"`},
			{[]string{`{"op":"Add","path":"emails[type eq \"work\"].value","value":"new@example.com"}`, `{"op":"Add","path":"emails[type eq \"other\"].value","value":"o@example.com"}`, `{"op":"Add","path":"name.familyName","value":"Newby"}`}, "emails",
				`[{"primary":true,"type":"work","value":"new@example.com"},{"type":"other","value":"o@example.com"}]`},
			{[]string{`{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"2"}`, `{"op":"Replace","path":"phoneNumbers[type eq \"fax\"].value","value":"3"}`, `{"op":"Replace","path":"nickName","value":"Len"}`}, "nickName", `"Len"`},
			{[]string{`{"op":"Replace","value":{"displayName":"L.","name.givenName":"R.","emails[type eq \"work\"].value":"newer@example.com","` + enterprise + `:department":"ops","` + enterprise + `":{"employeeNumber":"8"}}}`}, enterprise + "/department", `"ops"`},
			{nil, enterprise + "/employeeNumber", `"8"`},
			{nil, "name/givenName", `"R."`},
			{nil, "emails/0/value", `"newer@example.com"`},
			{[]string{`{"op":"Remove","path":"` + enterprise + `:manager"}`}, enterprise + "/manager", "null"},
			{[]string{`{"op":"Replace","path":"displayName","value":null}`}, "displayName", "null"},
			{[]string{`{"op":"Replace","path":"userName","value":"renamed@example.com"}`}, "userName", `"renamed@example.com"`},
		} {
			if step.ops != nil {
				f.want(200, "PATCH", "/Users/"+id, patch(step.ops...))
			}
			if got, _ := json.Marshal(f.want(200, "GET", "/Users/"+id, "").at(strings.ReplaceAll(step.path, enterprise, "\x00"))); !strings.Contains(step.path, "urn:") && string(got) != step.want {
				t.Errorf("%v: %s is %s, want %s", step.ops, step.path, got, step.want)
			}
			if strings.Contains(step.path, "urn:") {
				sub := f.want(200, "GET", "/Users/"+id, "").json[enterprise]
				got, _ := json.Marshal(answer{json: map[string]any{"x": sub}}.at("x" + strings.TrimPrefix(step.path, enterprise)))
				if string(got) != step.want {
					t.Errorf("%v: %s is %s, want %s", step.ops, step.path, got, step.want)
				}
			}
		}

		group := f.want(201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"8aa1a0c0","displayName":"GroupDisplayName","meta":{"resourceType":"Group"}}`).id()
		if a := f.want(200, "GET", "/Groups/"+group+"?excludedAttributes=members", ""); a.json["members"] != nil || a.json["displayName"] != "GroupDisplayName" {
			t.Errorf("without members: %s", a.body)
		}
		if a := f.want(200, "GET", `/Groups?excludedAttributes=members&filter=displayName eq "groupdisplayname"`, ""); a.at("Resources/0/id") != group || a.at("Resources/0/members") != nil {
			t.Errorf("by name: %s", a.body)
		}
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+id+`"},{"$ref":null,"value":"`+manager+`"}]}`))
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+id+`"}]}`))
		for _, filter := range []string{`members.value eq "` + id + `"`, `members eq "` + id + `"`, `members[value eq "` + id + `"] and displayName sw "group"`, `id eq "` + group + `" and externalId eq "8aa1a0c0"`} {
			if a := f.want(200, "GET", "/Groups?filter="+filter, ""); filter[:2] != "id" && a.json["totalResults"] != 1.0 {
				t.Errorf("%s: %s", filter, a.body)
			}
		}
		if a := f.want(200, "GET", "/Users/"+id+"?attributes=groups,userName", ""); a.at("groups/0/value") != group || a.json["emails"] != nil {
			t.Errorf("groups of the user: %s", a.body)
		}
		if a := f.want(200, "GET", `/Users?filter=groups.value eq "`+group+`"`, ""); a.json["totalResults"] != 2.0 {
			t.Errorf("users of the group: %s", a.body)
		}
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"`+id+`"}]}`))
		if a := f.want(200, "GET", "/Groups/"+group, ""); a.at("members/0/value") != manager || a.at("members/1") != nil {
			t.Errorf("Remove with a value: %s", a.body)
		}
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"Replace","path":"displayName","value":"1879db59"}`))
		f.refused(409, "uniqueness", "POST", "/Groups", `{"displayName":"1879DB59"}`)
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"Remove","path":"members"}`))
		if a := f.want(200, "GET", "/Groups/"+group, ""); fmt.Sprint(a.json["members"]) != "[]" {
			t.Errorf("all removed: %s", a.body)
		}
		f.want(204, "DELETE", "/Users/"+id, "")
		f.want(204, "DELETE", "/Groups/"+group, "")
	})
}
