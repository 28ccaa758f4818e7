package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const token = "sentinel-of-the-interface"

func environment(pairs map[string]string) func(string) string {
	return func(key string) string { return pairs[key] }
}

func TestDefaultsAndValues(t *testing.T) {
	config, problems := Read(environment(map[string]string{"API_TOKEN": token, "LISTEN_ADDR": ""}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if config.APIToken.Expose() != token || config.Listen != ":3000" ||
		config.CoreURL.String() != "http://jessy-core:8080" || !config.Metrics || config.Traces != nil {
		t.Errorf("unexpected: %+v", config)
	}
}

func TestSpansAreSentWhereItIsAskedFor(t *testing.T) {
	pairs := map[string]string{"API_TOKEN": token, "JAEGER_ENABLED": "true"}
	config, problems := Read(environment(pairs))
	if len(problems) > 0 || config.Traces.String() != "http://jaeger:4318" {
		t.Error(problems, config.Traces)
	}
	pairs["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://elsewhere:14318"
	if config, _ := Read(environment(pairs)); config.Traces.Host != "elsewhere:14318" {
		t.Error(config.Traces)
	}
}

func TestSecretFileLosesItsLineBreak(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, problems := Read(environment(map[string]string{"API_TOKEN_FILE": path}))
	if len(problems) > 0 || config.APIToken.Expose() != token {
		t.Errorf("got %v", problems)
	}
}

func TestProblemsNameTheKeyAndNoValue(t *testing.T) {
	for name, test := range map[string]struct {
		environment map[string]string
		expected    string
	}{
		"missing":    {map[string]string{}, "API_TOKEN is missing"},
		"both":       {map[string]string{"API_TOKEN": token, "API_TOKEN_FILE": "/f"}, "API_TOKEN and API_TOKEN_FILE are both set"},
		"short":      {map[string]string{"API_TOKEN": "abc123"}, "API_TOKEN is too short"},
		"unreadable": {map[string]string{"API_TOKEN_FILE": "/nowhere/at/all"}, "API_TOKEN_FILE cannot be read: open /nowhere/at/all"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Read(environment(test.environment))
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), test.expected) {
				t.Fatalf("expected %q, got %v", test.expected, problems)
			}
			if value := test.environment["API_TOKEN"]; value != "" && strings.Contains(problems[0].Error(), value) {
				t.Errorf("the value is shown: %v", problems[0])
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, problems := Read(environment(map[string]string{
		"RUST_SERVICE_URL": "core:8080", "DRAIN_SECONDS": "soon", "LOG_LEVEL": "loud", "PROMETHEUS_ENABLED": "yes",
		"JAEGER_ENABLED": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "jaeger:4318",
	}))
	text := errors.Join(problems...).Error()
	for _, key := range []string{"RUST_SERVICE_URL", "DRAIN_SECONDS", "LOG_LEVEL", "API_TOKEN", "PROMETHEUS_ENABLED", "JAEGER_ENABLED", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if !strings.Contains(text, key) {
			t.Errorf("%s not in %s", key, text)
		}
	}
}

func TestSecretShowsItselfNowhere(t *testing.T) {
	config, _ := Read(environment(map[string]string{"API_TOKEN": token}))
	encoded, err := json.Marshal(config.APIToken)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x", config, config, config.APIToken, config.APIToken, config.APIToken, config.APIToken)
	if strings.Contains(shown+string(encoded), "sentinel") {
		t.Error(shown, string(encoded))
	}
}
