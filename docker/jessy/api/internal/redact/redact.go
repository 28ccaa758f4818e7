// Package redact masks the known secrets in whatever is about to be logged,
// also in the encodings in which they usually slip out.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"

	"jessy-api/internal/config"
)

// Mask stands where a secret stood.
const Mask = "[redacted]"

// Shorter encoded forms would match ordinary text.
const formMinLength = 8

// Redactor masks secrets in text.
type Redactor struct{ replacer *strings.Replacer }

// New makes a redactor for the given secrets.
func New(secrets []config.Secret) Redactor {
	var forms []string
	for _, secret := range secrets {
		forms = append(forms, formsOf(secret.Expose())...)
	}
	forms = slices.DeleteFunc(forms, func(form string) bool { return len(form) < formMinLength })
	// Longest first, so that no form leaves the rest of a longer one behind.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, Mask)
	}
	return Redactor{strings.NewReplacer(pairs...)}
}

// Text returns the text with every known secret masked.
func (r Redactor) Text(text string) string { return r.replacer.Replace(text) }

// Writer masks what is written through it, one whole line a call.
func (r Redactor) Writer(to io.Writer) io.Writer { return writer{r, to} }

type writer struct {
	redactor Redactor
	to       io.Writer
}

func (w writer) Write(line []byte) (int, error) {
	if _, err := io.WriteString(w.to, w.redactor.Text(string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}

func formsOf(value string) []string {
	percent := percentEncode(value)
	standard := base64.StdEncoding.EncodeToString([]byte(value))
	urlSafe := base64.URLEncoding.EncodeToString([]byte(value))
	hexadecimal := hex.EncodeToString([]byte(value))
	forms := []string{
		value,
		percent, lowerEscapes(percent),
		url.QueryEscape(value), lowerEscapes(url.QueryEscape(value)),
		url.PathEscape(value), lowerEscapes(url.PathEscape(value)),
		standard, strings.TrimRight(standard, "="),
		urlSafe, strings.TrimRight(urlSafe, "="),
		hexadecimal, strings.ToUpper(hexadecimal),
	}
	for _, html := range []bool{true, false} {
		once := escape(value, html)
		forms = append(forms, once, escape(once, html))
	}
	return forms
}

// escape writes the value as JSON does inside quotes; html adds Go's \u0026 forms.
func escape(value string, html bool) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(html)
	// A string is always encodable.
	_ = encoder.Encode(value)
	quoted := strings.TrimSuffix(text.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

// percentEncode escapes everything that is no letter and no digit.
func percentEncode(value string) string {
	var text strings.Builder
	for _, b := range []byte(value) {
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' {
			text.WriteByte(b)
		} else {
			text.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{b})))
		}
	}
	return text.String()
}

// lowerEscapes writes %2F as some programs do: %2f.
func lowerEscapes(percent string) string {
	parts := strings.Split(percent, "%")
	for index, part := range parts[1:] {
		parts[index+1] = strings.ToLower(part[:2]) + part[2:]
	}
	return strings.Join(parts, "%")
}
