"""Labels of containers: Compose's own, and ours."""

from __future__ import annotations

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"
CONFIG_HASH = "com.docker.compose.config-hash"  # Compose looks for containers that have it
HASH_LABEL = "maestro.service-hash"  # a service's definition, on each container made from it
