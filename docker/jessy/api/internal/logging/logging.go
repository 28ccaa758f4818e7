// Package logging writes one JSON object a line with timestamp, level,
// service, version and message, the known secrets masked.
package logging

import (
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"jessy-api/internal/config"
	"jessy-api/internal/redact"
)

// Service is the service's name in health answers, logs and metrics.
const Service = "jessy-api"

// New makes the logger of the running service, on stdout.
func New(version string, level zapcore.Level, secrets []config.Secret) *zap.Logger {
	return logger(redact.New(secrets).Writer(os.Stdout), version, level)
}

// StartError writes a reason not to start at all to stderr.
func StartError(version, message string) {
	logger(os.Stderr, version, zapcore.ErrorLevel).Error(message)
}

func logger(to io.Writer, version string, level zapcore.Level) *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey:        "timestamp",
		LevelKey:       "level",
		MessageKey:     "message",
		EncodeTime:     encodeTime,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.MillisDurationEncoder,
	})
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(to)), level)
	return zap.New(core, zap.Fields(zap.String("service", Service), zap.String("version", version)))
}

func encodeTime(moment time.Time, encoder zapcore.PrimitiveArrayEncoder) {
	encoder.AppendString(Timestamp(moment))
}

// Timestamp is an RFC 3339 time in UTC.
func Timestamp(moment time.Time) string {
	return moment.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
