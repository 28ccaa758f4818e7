package server

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"jessy-api/internal/config"
)

// core is the client of the core service.
type core struct {
	base   *url.URL
	token  config.Secret
	client http.Client
}

func newCore(base *url.URL, token config.Secret) *core {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Shorter than the core goes on answering after it was asked to stop.
	transport.IdleConnTimeout = time.Second
	return &core{base: base, token: token, client: http.Client{Timeout: 10 * time.Second, Transport: transport}}
}

// do sends a request; the caller closes the answer's body. The trace context
// of the incoming request goes along, so that one trace spans both services.
func (c *core) do(ctx context.Context, method, path, query string, incoming http.Header, body io.Reader) (*http.Response, error) {
	target := c.base.JoinPath(path)
	target.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"Content-Type", "Traceparent", "Tracestate"} {
		if value := incoming.Get(key); value != "" {
			request.Header.Set(key, value)
		}
	}
	request.Header.Set("Authorization", "Bearer "+c.token.Expose())
	return c.client.Do(request)
}
