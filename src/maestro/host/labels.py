"""Labels of containers: Compose's own, and ours."""

from __future__ import annotations

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"
NUMBER = "com.docker.compose.container-number"
# The files a container was made from, and the directory Compose was called in.
CONFIG_FILES = "com.docker.compose.project.config_files"
WORKING_DIRECTORY = "com.docker.compose.project.working_dir"
NETWORK = "com.docker.compose.network"  # of a network: its key in the file
COMPOSE = "com.docker.compose."  # what all labels of Compose begin with
OURS = "maestro."  # and all of ours
CONFIG_HASH = "com.docker.compose.config-hash"  # Compose looks for containers that have it
HASH_LABEL = "maestro.service-hash"  # a service's definition, on each container made from it
