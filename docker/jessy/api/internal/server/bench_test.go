package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"go.uber.org/zap"

	"jessy-api/internal/config"
	"jessy-api/internal/redact"
	"jessy-api/internal/tracing"
)

func benchmarked(b *testing.B, path string) {
	b.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `[{"id":1,"text":"hello"}]`)
	}))
	defer upstream.Close()
	base, _ := url.Parse(upstream.URL)
	a := &api{
		settings: config.Config{MmapDir: b.TempDir()},
		version:  "v1", instance: "here",
		core: newCore(base, config.NewSecret(token), tracing.Off()), metrics: newMetrics("v1"), traces: tracing.Off(), log: zap.NewNop(),
	}
	routes := a.routes()
	b.ResetTimer()
	for b.Loop() {
		routes.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
}

func BenchmarkHealth(b *testing.B) { benchmarked(b, "/api/health") }

func BenchmarkNotesThroughTheCore(b *testing.B) { benchmarked(b, "/api/notes?limit=10") }

func BenchmarkRedactLine(b *testing.B) {
	redactor := redact.New([]config.Secret{config.NewSecret(token)})
	line := []byte(`{"level":"info","service":"jessy-api","route":"/api/notes","status":201}`)
	writer := redactor.Writer(io.Discard)
	for b.Loop() {
		_, _ = writer.Write(line)
	}
}
