// Package tracing passes the trace context of requests on, and sends spans to a store where one is named.
//
// A request that comes with a traceparent header keeps its trace in every case. Spans are made and
// sent by OTLP over HTTP only with an endpoint; then they wait in a queue of a fixed size, and a
// store that is away costs those spans and nothing else.
package tracing

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"jessy-api/internal/logging"
)

const (
	sendTimeout = 2 * time.Second
	// How long the end of the program may take for the spans that still wait.
	lastWords = time.Second
)

// Tracing makes the spans of the service.
type Tracing struct {
	provider trace.TracerProvider
	stop     func(context.Context) error
}

// Off makes no span and opens no connection; trace contexts are passed on.
func Off() *Tracing {
	return &Tracing{provider: noop.NewTracerProvider(), stop: func(context.Context) error { return nil }}
}

// To sends spans to the endpoint, such as http://jaeger:4318; nil makes none.
func To(endpoint *url.URL, version, instance string, log *zap.Logger) (*Tracing, error) {
	if endpoint == nil {
		return Off(), nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("spans were not sent", zap.Error(err))
	}))
	exporter, err := otlptracehttp.New(context.Background(),
		otlptracehttp.WithEndpointURL(endpoint.JoinPath("v1/traces").String()),
		otlptracehttp.WithTimeout(sendTimeout),
		// What could not be sent is lost: a queue for a store that is away would only grow.
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	if err != nil {
		return nil, err
	}
	return of(sdk.NewBatchSpanProcessor(exporter), version, instance), nil
}

func of(processor sdk.SpanProcessor, version, instance string) *Tracing {
	provider := sdk.NewTracerProvider(
		sdk.WithSpanProcessor(processor),
		// Whoever began a trace says whether it is kept.
		sdk.WithSampler(sdk.ParentBased(sdk.AlwaysSample())),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", logging.Service),
			attribute.String("service.version", version),
			attribute.String("service.instance.id", instance))))
	return &Tracing{provider: provider, stop: provider.Shutdown}
}

// Stop sends what still waits, for a second at most.
func (t *Tracing) Stop(log *zap.Logger) {
	limit, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if err := t.stop(limit); err != nil {
		log.Warn("the last spans were not sent", zap.Error(err))
	}
}

func (t *Tracing) options() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(propagation.TraceContext{}),
	}
}

// Server makes a span of each request for which wanted is true, in the client's trace where it names one.
func (t *Tracing) Server(next http.Handler, wanted func(*http.Request) bool) http.Handler {
	return otelhttp.NewHandler(next, logging.Service, append(t.options(), otelhttp.WithFilter(wanted),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			// The route is known once the request is served; a path would be a name without end.
			if r.Pattern != "" {
				return r.Pattern
			}
			return r.Method
		}))...)
}

// Client makes a span of each request sent, and gives its trace context to the server.
func (t *Tracing) Client(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(bare{next}, t.options()...)
}

// bare takes the query out of what a client's span says of its URL: what stands there is the client's own.
type bare struct{ next http.RoundTripper }

func (b bare) RoundTrip(request *http.Request) (*http.Response, error) {
	shown := *request.URL
	shown.RawQuery, shown.User = "", nil
	trace.SpanFromContext(request.Context()).SetAttributes(attribute.String("url.full", shown.String()))
	return b.next.RoundTrip(request)
}

// ID is the id of the request's trace, for its log lines; empty where it has none.
func ID(ctx context.Context) string {
	if found := trace.SpanContextFromContext(ctx); found.HasTraceID() {
		return found.TraceID().String()
	}
	return ""
}
