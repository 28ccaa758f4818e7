package redact

import (
	"encoding/json"
	"strings"
	"testing"

	"jessy-api/internal/config"
)

const value = "p/ä+ss <\"w\\ord\">&\n=1"

func TestEveryFormIsMasked(t *testing.T) {
	redactor := New([]config.Secret{config.NewSecret(value)})
	for _, form := range formsOf(value) {
		if shown := redactor.Text("before " + form + " after"); shown != "before "+Mask+" after" {
			t.Errorf("form %q: %q", form, shown)
		}
	}
}

func TestJSONLineIsMaskedAndStaysJSON(t *testing.T) {
	line, err := json.Marshal(map[string]string{"field": value})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	redactor := New([]config.Secret{config.NewSecret(value)})
	written, err := redactor.Writer(&out).Write(line)
	if err != nil || written != len(line) {
		t.Fatalf("wrote %d of %d: %v", written, len(line), err)
	}
	if out.String() != `{"field":"[redacted]"}` {
		t.Error(out.String())
	}
}

func TestOtherTextIsLeftAlone(t *testing.T) {
	line := `{"message":"token file read","key":"API_TOKEN"}`
	redactor := New([]config.Secret{config.NewSecret(value)})
	if shown := redactor.Text(line); shown != line {
		t.Error(shown)
	}
}
