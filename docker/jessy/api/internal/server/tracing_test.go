package server

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"jessy-api/internal/config"
	"jessy-api/internal/tracing"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	parent  = "00-" + traceID + "-b7ad6b7169203331-01"
)

// store takes spans as a collector does, and keeps them.
type store struct {
	*httptest.Server
	mutex sync.Mutex
	spans []*spans.Span
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &sent); err != nil || r.URL.Path != "/v1/traces" {
			t.Error(r.URL, err)
		}
		s.mutex.Lock()
		defer s.mutex.Unlock()
		for _, resource := range sent.ResourceSpans {
			if text := resource.Resource.String(); !strings.Contains(text, `"jessy-api"`) {
				t.Error(text)
			}
			for _, scope := range resource.ScopeSpans {
				s.spans = append(s.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// The core, which notes the trace contexts it is given.
func noting(t *testing.T) (*httptest.Server, *[]string) {
	t.Helper()
	var contexts []string
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		contexts = append(contexts, r.Header.Get("Traceparent"))
	}))
	t.Cleanup(upstream.Close)
	return upstream, &contexts
}

// ask sends a request in the trace of a client to an API whose spans go to the endpoint.
func ask(t *testing.T, endpoint, coreURL, path string, log *zap.Logger) *tracing.Tracing {
	t.Helper()
	traces := tracing.Off()
	if endpoint != "" {
		where, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if traces, err = tracing.To(where, "v1", "here", log); err != nil {
			t.Fatal(err)
		}
	}
	a := newAPI(t, coreURL)
	a.log, a.traces = log, traces
	a.core = newCore(a.core.base, config.NewSecret(token), traces)
	a.core.patience = 0
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("Traceparent", parent)
	recorder := httptest.NewRecorder()
	a.routes().ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Error(path, recorder.Code)
	}
	return traces
}

func TestATraceIsPassedOnWithoutAStore(t *testing.T) {
	core, contexts := noting(t)
	ask(t, "", core.URL, "/api/notes", zap.NewNop())
	if len(*contexts) != 1 || (*contexts)[0] != parent {
		t.Error(*contexts)
	}
}

func TestSpansOfARequest(t *testing.T) {
	core, contexts := noting(t)
	store := newStore(t)
	seen, lines := observer.New(zap.InfoLevel)
	traces := ask(t, store.URL, core.URL, "/api/notes?limit=hidden-words", zap.New(seen))
	traces.Stop(zap.NewNop())
	if len(store.spans) != 2 {
		t.Fatal(store.spans)
	}
	byKind := map[spans.Span_SpanKind]*spans.Span{}
	for _, span := range store.spans {
		byKind[span.Kind] = span
		if text := span.String(); strings.Contains(text, "hidden-words") || strings.Contains(text, token) {
			t.Error(text)
		}
	}
	server, client := byKind[spans.Span_SPAN_KIND_SERVER], byKind[spans.Span_SPAN_KIND_CLIENT]
	if server.Name != "GET /api/notes" || hex.EncodeToString(server.ParentSpanId) != "b7ad6b7169203331" {
		t.Error(server)
	}
	if string(client.ParentSpanId) != string(server.SpanId) {
		t.Error(client)
	}
	expected := "00-" + traceID + "-" + hex.EncodeToString(client.SpanId) + "-01"
	if len(*contexts) != 1 || (*contexts)[0] != expected {
		t.Error(*contexts, expected)
	}
	line := lines.FilterMessage("request").All()[0].ContextMap()
	if line["trace_id"] != traceID {
		t.Error(line)
	}
}

func TestHealthChecksMakeNoSpan(t *testing.T) {
	store := newStore(t)
	traces := ask(t, store.URL, "http://127.0.0.1:1", "/api/health", zap.NewNop())
	traces.Stop(zap.NewNop())
	if len(store.spans) != 0 {
		t.Error(store.spans)
	}
}

func TestAStoreThatHangsHoldsUpNoRequest(t *testing.T) {
	core, _ := noting(t)
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	for range 20 {
		ask(t, hanging.URL, core.URL, "/api/notes", zap.NewNop())
	}
	seen, lines := observer.New(zap.WarnLevel)
	traces := ask(t, hanging.URL, core.URL, "/api/notes", zap.NewNop())
	started := time.Now()
	traces.Stop(zap.New(seen))
	if took := time.Since(started); took > 10*time.Second || lines.Len() != 1 {
		t.Error(took, lines.All())
	}
}
