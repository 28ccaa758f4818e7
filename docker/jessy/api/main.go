// Jessy's public interface: serves notes from the core service.
//
// "jessy-api [serve]" answers on port 3000, "jessy-api healthcheck" asks a
// running service whether it is healthy.
package main

import (
	"fmt"
	"os"

	"jessy-api/internal/config"
	"jessy-api/internal/logging"
	"jessy-api/internal/server"
)

// version is set by the linker; health answers show it.
var version = "dev"

const usage = "usage: jessy-api [serve | healthcheck | version]"

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(arguments []string) int {
	command := "serve"
	if len(arguments) > 0 {
		command = arguments[0]
	}
	if len(arguments) > 1 {
		command = ""
	}
	switch command {
	case "serve":
		return serve()
	case "healthcheck":
		return server.Healthcheck(os.Getenv("LISTEN_ADDR"))
	case "version":
		fmt.Println(version)
		return 0
	default:
		logging.StartError(version, usage)
		return 2
	}
}

// serve names every problem of the configuration, each in its own line on stderr.
func serve() int {
	settings, problems := config.Read(os.Getenv)
	for _, problem := range problems {
		logging.StartError(version, problem.Error())
	}
	if len(problems) > 0 {
		return 1
	}
	log := logging.New(version, settings.LogLevel, settings.Secrets())
	if err := server.Run(settings, version, log); err != nil {
		log.Error(err.Error())
		return 1
	}
	return 0
}
