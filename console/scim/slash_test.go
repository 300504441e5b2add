package scim_test

import (
	"net/http"
	"testing"
)

// TestSlashes checks that base URLs with a slash at the end work: clients then ask for //Users, and do
// not repeat a POST that is redirected.
func TestSlashes(t *testing.T) {
	f := newFixture(t)
	made := f.want(http.StatusCreated, "POST", "//Users/", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"slash@console.example","active":true}`)
	for _, path := range []string{"/Users", "/Users/", "//Users", "///Users//", "/Users//" + made.id() + "/", "/ServiceProviderConfig/"} {
		f.want(http.StatusOK, "GET", path, "")
	}
	for _, path := range []string{"", "/", "//"} {
		f.refused(http.StatusNotFound, "", "GET", path, "")
	}
	f.refused(http.StatusNotFound, "", "GET", "/Users%2F"+made.id(), "")
}
