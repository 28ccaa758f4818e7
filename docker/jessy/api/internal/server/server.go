// Package server is the HTTP interface.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"

	"jessy-api/internal/config"
	"jessy-api/internal/tracing"
)

// Run answers until SIGTERM or SIGINT, then finishes what it began.
func Run(settings config.Config, version string, log *zap.Logger) error {
	instance, err := os.Hostname()
	if err != nil {
		instance = "unknown"
	}
	traces, err := tracing.To(settings.Traces, version, instance, log)
	if err != nil {
		return fmt.Errorf("spans cannot be sent: %w", err)
	}
	defer traces.Stop(log)
	a := &api{
		settings: settings,
		version:  version,
		instance: instance,
		core:     newCore(settings.CoreURL, settings.APIToken, traces),
		traces:   traces,
		metrics:  newMetrics(version),
		log:      log,
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	if err := countStart(settings.MmapDir); err != nil {
		log.Warn("this start is not counted", zap.Error(err))
	}
	log.Info("listening", zap.String("address", settings.Listen))
	return serve(stop, listener, a)
}

func serve(stop context.Context, listener net.Listener, a *api) error {
	errorLog, err := zap.NewStdLogAt(a.log, zap.WarnLevel)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: a.routes(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: errorLog}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("the server failed: %w", err)
	case <-stop.Done():
	}
	a.log.Info("shutting down: no new connections, requests in flight finish")
	drain, cancel := context.WithTimeout(context.Background(), a.settings.Drain)
	defer cancel()
	if err := server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("requests in flight did not finish within %v", a.settings.Drain)
	} else if err != nil {
		return fmt.Errorf("the server did not stop: %w", err)
	}
	a.log.Info("stopped")
	return nil
}
