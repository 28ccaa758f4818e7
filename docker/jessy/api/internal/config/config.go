// Package config reads the environment. A secret comes as NAME or as a file
// named by NAME_FILE; no message ever holds a value.
package config

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"
)

// Shorter secrets are refused: they protect nothing, and masking them in logs
// would mask ordinary words.
const secretMinLength = 8

// Secret is a value that shows itself nowhere; Expose is the only way to it.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Expose gives the value to the code that needs it.
func (s Secret) Expose() string { return s.value }

// Format keeps the value out of every fmt verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte("[redacted]")) }

// MarshalText keeps the value out of JSON and of structured logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Config is what the service was told.
type Config struct {
	Listen   string
	CoreURL  *url.URL
	MmapDir  string
	LogLevel zapcore.Level
	// Drain is how long requests in flight may take after a signal to stop.
	Drain    time.Duration
	APIToken Secret
	// Metrics says whether /api/metrics answers.
	Metrics bool
	// Traces is where spans are sent to, nil where they are not.
	Traces *url.URL
}

// Secrets lists what has to be masked in logs.
func (c Config) Secrets() []Secret { return []Secret{c.APIToken} }

// Read builds the configuration from getenv and returns all problems at once.
func Read(getenv func(string) string) (Config, []error) {
	r := reader{getenv: getenv}
	level := "info"
	if getenv("GO_ENV") == "development" {
		level = "debug"
	}
	config := Config{
		Listen:   r.text("LISTEN_ADDR", ":3000"),
		CoreURL:  r.url("RUST_SERVICE_URL", "http://jessy-core:8080"),
		MmapDir:  r.text("MMAP_DIR", "/data/mmap"),
		LogLevel: r.level("LOG_LEVEL", level),
		Drain:    r.seconds("DRAIN_SECONDS", 15),
		APIToken: r.secret("API_TOKEN"),
		Metrics:  r.flag("PROMETHEUS_ENABLED", "true"),
	}
	traces := r.url("OTEL_EXPORTER_OTLP_ENDPOINT", "http://jaeger:4318")
	if r.flag("JAEGER_ENABLED", "false") {
		config.Traces = traces
	}
	return config, r.problems
}

type reader struct {
	getenv   func(string) string
	problems []error
}

func (r *reader) fail(format string, arguments ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, arguments...))
}

// text takes an empty variable for one that is not set: Compose passes ${NAME:-} as one.
func (r *reader) text(key, fallback string) string {
	if value := r.getenv(key); value != "" {
		return value
	}
	return fallback
}

func (r *reader) url(key, fallback string) *url.URL {
	value, err := url.Parse(r.text(key, fallback))
	if err != nil || value.Host == "" || (value.Scheme != "http" && value.Scheme != "https") {
		r.fail("%s is not valid: expected a URL like %s", key, fallback)
	}
	return value
}

func (r *reader) level(key, fallback string) zapcore.Level {
	level, err := zapcore.ParseLevel(r.text(key, fallback))
	if err != nil {
		r.fail("%s is not valid: expected debug, info, warn or error", key)
	}
	return level
}

// flag takes true and false alone, as the core does.
func (r *reader) flag(key, fallback string) bool {
	value := r.text(key, fallback)
	if value != "true" && value != "false" {
		r.fail("%s is not valid: expected true or false", key)
	}
	return value == "true"
}

func (r *reader) seconds(key string, fallback int) time.Duration {
	seconds, err := strconv.ParseUint(r.text(key, strconv.Itoa(fallback)), 10, 16)
	if err != nil {
		r.fail("%s is not valid: expected a whole number of seconds", key)
	}
	return time.Duration(seconds) * time.Second
}

func (r *reader) secret(key string) Secret {
	value, path := r.getenv(key), r.getenv(key+"_FILE")
	if value != "" && path != "" {
		r.fail("%s and %s_FILE are both set: set only one of them", key, key)
		return Secret{}
	}
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			r.fail("%s_FILE cannot be read: %w", key, err)
			return Secret{}
		}
		// An editor ends a file with a line break that is no part of the secret.
		value = strings.TrimRight(string(text), "\r\n")
	}
	switch {
	case value == "":
		r.fail("%s is missing: set %s_FILE to the path of a file that holds it, or %s", key, key, key)
	case utf8.RuneCountInString(value) < secretMinLength:
		r.fail("%s is too short: at least %d characters are needed", key, secretMinLength)
	}
	return Secret{value}
}
