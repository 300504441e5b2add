package webhook

import (
	"encoding/json"
	"strings"
	"unicode"

	"baton"
)

// apart is a character without width, between characters that a chat would read as markup together.
const apart = "\u200b"

// ChatBody returns the JSON that incoming webhooks of chats take. The link is on a line of its own.
// The texts have names of upstreams in them, so that no markup in them works: no link, no mention of
// somebody or of the channel, no formatting.
func ChatBody(subject, text, link string) ([]byte, error) {
	lines := []string{Plain(subject)}
	if text != "" && text != subject {
		lines = append(lines, Plain(text))
	}
	if link != "" {
		lines = append(lines, link)
	}
	b, err := json.Marshal(struct {
		Text string `json:"text"`
	}{strings.Join(lines, "\n")})
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "encode a message for a chat: %w", err)
	}
	return b, nil
}

// Plain returns a text in which chats find no markup. Slack decodes &amp;, &lt; and &gt;, and
// nothing else; the rest is for Markdown, and for addresses that chats make links of by themselves.
func Plain(text string) string {
	var b strings.Builder
	runes := []rune(text)
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	for i, r := range runes {
		switch r {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '@', '#', '*', '_', '~', '`', '[', ']', '!', '|', '\\':
			b.WriteRune(r)
			b.WriteString(apart)
		case ':':
			b.WriteRune(r)
			if i+1 < len(runes) && runes[i+1] != ' ' { // https://, mailto:, :emoji:
				b.WriteString(apart)
			}
		case '.':
			b.WriteRune(r)
			if word(i-1) && word(i+1) { // example.com
				b.WriteString(apart)
			}
		case '\n', '\r':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
