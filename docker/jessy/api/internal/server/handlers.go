package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"jessy-api/internal/config"
	"jessy-api/internal/logging"
	"jessy-api/internal/tracing"
)

const (
	bodyMax = 64 << 10
	slowMax = 10.0
)

type api struct {
	settings config.Config
	version  string
	instance string
	core     *core
	metrics  *metrics
	traces   *tracing.Tracing
	log      *zap.Logger
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", a.health)
	if a.settings.Metrics {
		mux.Handle("GET /api/metrics", a.metrics.handler())
	}
	mux.HandleFunc("GET /api/notes", a.forward("/notes"))
	mux.HandleFunc("POST /api/notes", a.forward("/notes"))
	mux.HandleFunc("GET /api/core", a.forward("/health"))
	mux.HandleFunc("GET /api/counters", a.counters)
	mux.HandleFunc("GET /api/slow", a.slow)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		a.fail(w, http.StatusNotFound, "no such path")
	})
	// What asks for health or numbers, every few seconds, is no request of anybody.
	return a.traces.Server(a.observe(mux), func(r *http.Request) bool {
		_, route := mux.Handler(r)
		return !aside(route)
	})
}

// health says whether this service can answer. The core's state is at /api/core:
// a core that is away must not make every instance of this service unhealthy.
func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	a.answer(w, http.StatusOK, map[string]string{
		"status":    "healthy",
		"service":   logging.Service,
		"version":   a.version,
		"timestamp": logging.Timestamp(time.Now()),
	})
}

// forward passes the request to the core and its answer back.
func (a *api) forward(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			a.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a body has at most %d bytes", bodyMax))
			return
		} else if err != nil {
			a.fail(w, http.StatusBadRequest, "the body broke off")
			return
		}
		response, err := a.core.do(r.Context(), r.Method, path, r.URL.RawQuery, r.Header, body)
		if err != nil {
			a.logOf(r).Error("the core does not answer", zap.Error(err))
			a.fail(w, http.StatusBadGateway, "the core does not answer")
			return
		}
		defer func() { _ = response.Body.Close() }()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		if _, err := io.Copy(w, response.Body); err != nil {
			a.logOf(r).Warn("the core's answer broke off", zap.Error(err))
		}
	}
}

func (a *api) counters(w http.ResponseWriter, _ *http.Request) {
	counters, err := readCounters(a.settings.MmapDir)
	if err != nil {
		a.log.Error("the counters cannot be read", zap.Error(err))
		a.fail(w, http.StatusServiceUnavailable, "the counters cannot be read")
		return
	}
	a.answer(w, http.StatusOK, counters)
}

// slow takes as long as asked, at most ten seconds: it shows that a request in
// flight survives a stop.
func (a *api) slow(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
	// Written so that NaN is refused too.
	if err != nil || !(seconds >= 0 && seconds <= slowMax) {
		a.fail(w, http.StatusBadRequest, fmt.Sprintf("seconds has to be from 0 to %v", slowMax))
		return
	}
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		a.answer(w, http.StatusOK, map[string]float64{"slept": seconds})
	case <-r.Context().Done():
	}
}

// observe counts and logs each request; the health checks' own only at debug level.
func (a *api) observe(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		w.Header().Set("X-Instance", a.instance)
		recorder := &recorder{ResponseWriter: w, status: http.StatusOK}
		_, route := mux.Handler(r)
		mux.ServeHTTP(recorder, r)
		took := time.Since(started)
		a.metrics.observe(method(r.Method), route, recorder.status, took)
		level := zap.InfoLevel
		if aside(route) {
			level = zap.DebugLevel
		}
		a.logOf(r).Log(level, "request", zap.String("method", r.Method), zap.String("route", route),
			zap.Int("status", recorder.status), zap.Int64("milliseconds", took.Milliseconds()))
	})
}

// aside tells the routes that programs ask again and again.
func aside(route string) bool { return route == "GET /api/health" || route == "GET /api/metrics" }

// logOf is the log with the trace of a request in each line.
func (a *api) logOf(r *http.Request) *zap.Logger {
	if id := tracing.ID(r.Context()); id != "" {
		return a.log.With(zap.String("trace_id", id))
	}
	return a.log
}

// method keeps invented methods from becoming labels.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return name
	}
	return "other"
}

func (a *api) fail(w http.ResponseWriter, status int, message string) {
	a.answer(w, status, map[string]string{"error": message})
}

func (a *api) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		a.log.Warn("the answer could not be sent", zap.Error(err))
	}
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController the writer behind.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
