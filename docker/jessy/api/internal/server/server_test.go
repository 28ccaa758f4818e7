package server

import (
	"bytes"
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
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"jessy-api/internal/config"
	"jessy-api/internal/tracing"
)

const token = "sentinel-of-the-interface"

func newAPI(t *testing.T, coreURL string) *api {
	t.Helper()
	base, err := url.Parse(coreURL)
	if err != nil {
		t.Fatal(err)
	}
	impatient := newCore(base, config.NewSecret(token), tracing.Off())
	impatient.patience = 0
	return &api{
		settings: config.Config{MmapDir: t.TempDir(), Drain: 5 * time.Second, Metrics: true},
		version:  "v1", instance: "here",
		core: impatient, metrics: newMetrics("v1"), traces: tracing.Off(), log: zap.NewNop(),
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

func TestNotesGoToTheCoreWithToken(t *testing.T) {
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
	recorder := httptest.NewRecorder()
	newAPI(t, upstream.URL).routes().ServeHTTP(recorder, request)
	if recorder.Code != http.StatusCreated || recorder.Body.String() != `{"text":"hello"}` {
		t.Error(recorder.Code, recorder.Body)
	}
	if got.URL.String() != "/notes?limit=3" || got.Header.Get("Authorization") != "Bearer "+token ||
		got.Header.Get("Traceparent") != "" {
		t.Error(got.URL, got.Header)
	}
}

// An upstream that gives its answers one after the other, each for one request.
func answering(t *testing.T, answers ...func(http.ResponseWriter)) (*httptest.Server, *[]string) {
	t.Helper()
	var bodies []string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		answers[min(len(bodies), len(answers))-1](w)
	}))
	t.Cleanup(upstream.Close)
	return upstream, &bodies
}

func status(code int, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for at := 0; at < len(headers); at += 2 {
			w.Header().Set(headers[at], headers[at+1])
		}
		w.WriteHeader(code)
	}
}

func TestARequestThatChangedNothingIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		method   string
		answer   func(http.ResponseWriter)
		expected int
	}{
		"another token":                  {http.MethodPost, status(401), 201},
		"no connection to the database":  {http.MethodPost, status(503, "Retry-After", "1"), 201},
		"a query that failed, reading":   {http.MethodGet, status(503), 201},
		"a query that failed, writing":   {http.MethodPost, status(503), 503},
		"a request that cannot be right": {http.MethodPost, status(400), 400},
	} {
		upstream, bodies := answering(t, c.answer, c.answer, status(201))
		a := newAPI(t, upstream.URL)
		a.core.patience = 5 * time.Second
		recorder := httptest.NewRecorder()
		a.routes().ServeHTTP(recorder, httptest.NewRequest(c.method, "/api/notes", strings.NewReader("hello")))
		if recorder.Code != c.expected {
			t.Errorf("%s: expected %d, got %d", name, c.expected, recorder.Code)
		}
		for _, body := range *bodies {
			if body != "hello" {
				t.Errorf("%s: the body was %q", name, body)
			}
		}
	}
}

func TestACoreThatIsNotThereYetIsWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	time.AfterFunc(300*time.Millisecond, func() {
		later, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		_ = http.Serve(later, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }))
	})
	a := newAPI(t, "http://"+address)
	a.core.patience = 5 * time.Second
	recorder := httptest.NewRecorder()
	a.routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/api/notes", strings.NewReader("hello")))
	if recorder.Code != http.StatusCreated {
		t.Error(recorder.Code, recorder.Body)
	}
}

func TestAConnectionThatBreaksIsNoAnswer(t *testing.T) {
	var keys []string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) == 1 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(201)
	}))
	defer upstream.Close()
	for _, given := range []string{"", "the client's own"} {
		keys = nil
		a := newAPI(t, upstream.URL)
		a.core.patience = 5 * time.Second
		request := httptest.NewRequest(http.MethodPost, "/api/notes", strings.NewReader("hello"))
		if given != "" {
			request.Header.Set("Idempotency-Key", given)
		}
		recorder := httptest.NewRecorder()
		a.routes().ServeHTTP(recorder, request)
		if recorder.Code != 201 || len(keys) != 2 || keys[0] != keys[1] || keys[0] == "" {
			t.Error(recorder.Code, keys)
		}
		if given != "" && keys[0] != given {
			t.Error(keys)
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	upstream, bodies := answering(t, status(401))
	a := newAPI(t, upstream.URL)
	a.core.patience = 400 * time.Millisecond
	if code := get(t, a, "/api/notes").Code; code != 401 || len(*bodies) < 2 || len(*bodies) > 4 {
		t.Error(code, len(*bodies))
	}
}

func TestABodyThatIsTooLarge(t *testing.T) {
	upstream, bodies := answering(t, status(201))
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/api/notes", strings.NewReader(strings.Repeat("x", bodyMax+1)))
	newAPI(t, upstream.URL).routes().ServeHTTP(recorder, request)
	if recorder.Code != http.StatusRequestEntityTooLarge || len(*bodies) != 0 {
		t.Error(recorder.Code, *bodies)
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

func TestStartsAreCountedByManyAtOnceAndNothingElseChanges(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, countersFile)
	if countStart(directory) == nil {
		t.Error("a file was made")
	}
	content := append([]byte(countersMagic), make([]byte, countersSize-8)...)
	content[16], content[40] = 5, 9
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var many sync.WaitGroup
	for range 50 {
		many.Add(1)
		go func() {
			defer many.Done()
			if err := countStart(directory); err != nil {
				t.Error(err)
			}
		}()
	}
	many.Wait()
	content[apiStartsAt] = 50
	if found, err := os.ReadFile(path); err != nil || !bytes.Equal(found, content) {
		t.Error(err, found[:48])
	}
	if err := os.WriteFile(path, []byte("no counters"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := countStart(directory); err != errNoCounters {
		t.Error(err)
	}
}

func TestMetricsAreNotFoundWhereTheyAreSwitchedOff(t *testing.T) {
	a := newAPI(t, "http://127.0.0.1:1")
	a.settings.Metrics = false
	if code := get(t, a, "/api/metrics").Code; code != 404 {
		t.Error(code)
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
