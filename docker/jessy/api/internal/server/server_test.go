package server

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"jessy-api/internal/config"
)

const token = "sentinel-of-the-interface"

func newAPI(t *testing.T, coreURL string) *api {
	t.Helper()
	base, err := url.Parse(coreURL)
	if err != nil {
		t.Fatal(err)
	}
	return &api{
		settings: config.Config{MmapDir: t.TempDir(), Drain: 5 * time.Second},
		version:  "v1", instance: "here",
		core: newCore(base, config.NewSecret(token)), metrics: newMetrics("v1"), log: zap.NewNop(),
	}
}

func get(t *testing.T, a *api, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	a.routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

func TestHealth(t *testing.T) {
	answer := get(t, newAPI(t, "http://127.0.0.1:1"), "/api/health")
	var body map[string]string
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if answer.Code != 200 || body["status"] != "healthy" || body["service"] != "jessy-api" || body["version"] != "v1" {
		t.Error(answer.Code, body)
	}
	if _, err := time.Parse(time.RFC3339, body["timestamp"]); err != nil {
		t.Error(err)
	}
	if answer.Header().Get("X-Instance") != "here" || answer.Header().Get("Content-Type") != "application/json" {
		t.Error(answer.Header())
	}
}

func TestStatusCodes(t *testing.T) {
	a := newAPI(t, "http://127.0.0.1:1")
	for path, expected := range map[string]int{
		"/health": 404, "/api/metrics": 200, "/api/notes": 502, "/api/slow?seconds=0": 200,
		"/api/slow?seconds=11": 400, "/api/slow?seconds=nan": 400, "/api/slow": 400, "/api/counters": 503,
	} {
		if code := get(t, a, path).Code; code != expected {
			t.Errorf("%s: expected %d, got %d", path, expected, code)
		}
	}
	metrics := get(t, a, "/api/metrics").Body.String()
	for _, expected := range []string{
		`jessy_api_http_requests_total{method="GET",route="/",status="404"} 1`,
		`jessy_api_build_info{version="v1"} 1`,
	} {
		if !strings.Contains(metrics, expected) {
			t.Errorf("%s not in the metrics", expected)
		}
	}
}

func TestNotesGoToTheCoreWithTokenAndTrace(t *testing.T) {
	var got http.Request
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = *r
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, r.Body)
	}))
	defer upstream.Close()
	request := httptest.NewRequest(http.MethodPost, "/api/notes?limit=3", strings.NewReader(`{"text":"hello"}`))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	recorder := httptest.NewRecorder()
	newAPI(t, upstream.URL).routes().ServeHTTP(recorder, request)
	if recorder.Code != http.StatusCreated || recorder.Body.String() != `{"text":"hello"}` {
		t.Error(recorder.Code, recorder.Body)
	}
	if got.URL.String() != "/notes?limit=3" || got.Header.Get("Authorization") != "Bearer "+token ||
		got.Header.Get("Traceparent") == "" {
		t.Error(got.URL, got.Header)
	}
}

func TestCounters(t *testing.T) {
	a := newAPI(t, "http://127.0.0.1:1")
	content := append([]byte(countersMagic), make([]byte, 4088)...)
	binary.LittleEndian.PutUint64(content[16:], 5)
	if err := os.WriteFile(filepath.Join(a.settings.MmapDir, countersFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if body := get(t, a, "/api/counters").Body.String(); !strings.Contains(body, `"notes_written":5`) {
		t.Error(body)
	}
}

func TestRequestInFlightFinishesAfterTheSignal(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(stop, listener, newAPI(t, "http://127.0.0.1:1")) }()
	time.AfterFunc(200*time.Millisecond, cancel)
	response, err := http.Get("http://" + listener.Addr().String() + "/api/slow?seconds=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Error(response.Status)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
