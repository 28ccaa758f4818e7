package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"jessy-api/internal/config"
	"jessy-api/internal/tracing"
)

const (
	keyHeader = "Idempotency-Key"

	// Longer than it takes to exchange the database or the core under load on a slow host, shorter
	// than the edge lets this service's own requests take when it is exchanged itself.
	patience   = 25 * time.Second
	firstPause = 50 * time.Millisecond
	// Many requests wait at the same time: asking more often would slow the exchange they wait for.
	mostPause = 2 * time.Second
)

// core is the client of the core service.
type core struct {
	base     *url.URL
	token    config.Secret
	patience time.Duration
	// The first asks over a connection that is there, the other over a new one, so that it may
	// reach another instance.
	first, other http.Client
}

func newCore(base *url.URL, token config.Secret, traces *tracing.Tracing) *core {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// An instance that is gone meanwhile answers nothing at all; on this network, others do at once.
	transport.DialContext = (&net.Dialer{Timeout: time.Second}).DialContext
	// Shorter than the core goes on answering after it was asked to stop.
	transport.IdleConnTimeout = time.Second
	alone := transport.Clone()
	alone.DisableKeepAlives = true
	return &core{
		base: base, token: token, patience: patience,
		first: http.Client{Timeout: 10 * time.Second, Transport: traces.Client(transport)},
		other: http.Client{Timeout: 10 * time.Second, Transport: traces.Client(alone)},
	}
}

// do sends a request; the caller closes the answer's body. The trace context of ctx goes along, so
// that one trace spans both services.
//
// While the core, its database or the token both know is exchanged, an instance may be unable to
// take a request, or end before it has answered. The request is sent again then, for as long as
// patience; what it makes is made once, because every try has the same key.
func (c *core) do(ctx context.Context, method, path, query string, incoming http.Header, body []byte) (*http.Response, error) {
	deadline := time.Now().Add(c.patience)
	incoming = keyed(incoming)
	client := &c.first
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		response, err := c.try(ctx, client, method, path, query, incoming, body)
		if !repeatable(method, response, err) || time.Now().Add(pause).After(deadline) {
			return response, err
		}
		if response != nil {
			_ = response.Body.Close()
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		client = &c.other
	}
}

func (c *core) try(ctx context.Context, client *http.Client, method, path, query string, incoming http.Header, body []byte) (*http.Response, error) {
	target := c.base.JoinPath(path)
	target.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"Content-Type", keyHeader} {
		if value := incoming.Get(key); value != "" {
			request.Header.Set(key, value)
		}
	}
	request.Header.Set("Authorization", "Bearer "+c.token.Expose())
	return client.Do(request)
}

// keyed returns the headers with a key for the request, the client's own where it gave one.
func keyed(incoming http.Header) http.Header {
	if incoming.Get(keyHeader) != "" {
		return incoming
	}
	headers := incoming.Clone()
	headers.Set(keyHeader, rand.Text())
	return headers
}

// repeatable tells whether a request failed in a way that another try may mend.
func repeatable(method string, response *http.Response, err error) bool {
	if err != nil {
		var stranger *tls.CertificateVerificationError
		return !errors.As(err, &stranger)
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return true
	case http.StatusServiceUnavailable:
		return method == http.MethodGet || response.Header.Get("Retry-After") != ""
	}
	return false
}
