"""``python -m app.reload``: the API server, started again after each change of a source. Development only."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

SOURCES = (Path(__file__).parent, Path(__file__).parents[1] / "migrations")
PAUSE = 0.5  # seconds between two looks


def state() -> dict[Path, float]:
    """When each source was changed."""
    return {
        path: path.stat().st_mtime
        for root in SOURCES
        for path in root.rglob("*.py")
        if path.is_file()
    }


def main() -> None:
    """Run the server until this process is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    child: subprocess.Popen[bytes] | None = None
    seen: dict[Path, float] = {}
    try:
        while True:
            if (found := state()) != seen:
                seen = found
                if child:
                    child.terminate()
                    child.wait()
                child = subprocess.Popen([sys.executable, "-m", "app"])
            time.sleep(PAUSE)
    finally:
        if child:
            child.terminate()
            child.wait()


if __name__ == "__main__":
    main()
