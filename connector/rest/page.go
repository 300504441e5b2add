package rest

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
)

func isMarkup(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

var pageTag = regexp.MustCompile(`(?i)<(!doctype\s+html|html|head|body|title|meta|script|center)[\s>]`)

// isHTML reports whether a body is a web page. The content type decides only if the body does not, because
// web pages often have a wrong one.
func isHTML(h http.Header, body []byte) bool {
	if !isMarkup(body) {
		return false
	}
	return pageTag.Match(body[:min(len(body), maxPage)]) || strings.Contains(strings.ToLower(h.Get("Content-Type")), "html")
}

// pageOf describes a body that is not an API response by its visible origin. It returns "" for any other
// body.
func pageOf(h http.Header, body []byte) string {
	server := h.Get("Server")
	what := ""
	switch {
	case isHTML(h, body):
		what = "an HTML page"
	case isMarkup(body):
		what = "an XML document"
	case h.Get("Cf-Mitigated") != "":
		what = "a challenge"
	case h.Get("X-Squid-Error") != "":
		what = "an error of a Squid proxy"
	case strings.EqualFold(server, "cloudflare") && bytes.HasPrefix(bytes.TrimSpace(body), []byte("error code:")):
		what = "an error of a proxy"
	default:
		return ""
	}
	if title := titleOf(body); title != "" {
		what += fmt.Sprintf(" titled %q", title)
	}
	if server != "" {
		what += fmt.Sprintf(" (Server: %s)", oneLine(server, 60))
	} else if via := h.Get("Via"); via != "" {
		what += fmt.Sprintf(" (Via: %s)", oneLine(via, 60))
	}
	return what
}

var title = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title|<h1[^>]*>(.*?)</h1`)

// titleOf returns the title of a web page, or its first heading.
func titleOf(body []byte) string {
	m := title.FindSubmatch(body[:min(len(body), maxErrorBody)])
	if m == nil {
		return ""
	}
	return oneLine(html.UnescapeString(string(m[1])+string(m[2])), 80)
}
