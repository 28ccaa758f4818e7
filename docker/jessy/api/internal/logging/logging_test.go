package logging

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"jessy-api/internal/config"
	"jessy-api/internal/redact"
)

func TestLineIsJSONWithTheSecretMasked(t *testing.T) {
	var out strings.Builder
	redactor := redact.New([]config.Secret{config.NewSecret("sentinel-of-the-interface")})
	log := logger(redactor.Writer(&out), "v1", zapcore.InfoLevel)
	log.Error("sent sentinel-of-the-interface", zap.String("token", "sentinel-of-the-interface"))
	var line map[string]string
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatal(err, out.String())
	}
	if _, err := time.Parse(time.RFC3339, line["timestamp"]); err != nil {
		t.Error(err)
	}
	for key, expected := range map[string]string{
		"level": "error", "service": "jessy-api", "version": "v1", "token": redact.Mask, "message": "sent " + redact.Mask,
	} {
		if line[key] != expected {
			t.Errorf("%s: expected %q, got %q", key, expected, line[key])
		}
	}
}
