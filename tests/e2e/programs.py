"""Programs of the distribution that a test runs on a lab host, beside what is installed there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from e2e import lab

HOME = "/opt/maestro-tests"


@contextlib.contextmanager
def running(
    host: str, package: str, files: Mapping[str, str], *arguments: str, **environment: str
) -> Iterator[str]:
    """Run a package's program of the same name until the block ends; its directory.

    ``package`` may say a version as apt takes it (``pebble=2.6.*``). ``files`` are written into
    the directory before it starts, and it starts there. Nothing of it is installed, and nothing
    stays.
    """
    name = package.partition("=")[0]
    home, unit = f"{HOME}/{name}", f"maestro-tests-{name}"
    remove = f"systemctl stop {unit} 2>/dev/null; rm -rf {home}; rmdir {HOME} 2>/dev/null || :"
    fetch = (
        f"{remove}; set -e; mkdir -p {home} && cd {home} && chmod 755 . && apt-get -qq update && "
        f"apt-get -qq -o APT::Sandbox::User=root download '{package}' && "
        f"dpkg-deb -x {name}_*.deb . && rm {name}_*.deb"
    )
    lab.ssh(host, fetch)
    try:
        for file, text in files.items():
            write(host, f"{home}/{file}", text)
        set_ = " ".join(f"--setenv={key}={value}" for key, value in environment.items())
        lab.ssh(
            host,
            f"systemd-run --quiet --collect --unit={unit} --working-directory={home} {set_} "
            f"{home}/usr/bin/{name} {' '.join(arguments)}",
        )
        yield home
    finally:
        lab.ssh(host, remove)


def stop(host: str, package: str) -> None:
    """End the program before its time."""
    lab.ssh(host, f"systemctl stop maestro-tests-{package.partition('=')[0]}")


def write(host: str, path: str, text: str) -> None:
    """Write a file on a host."""
    assert "\nEOF\n" not in text
    lab.ssh(host, f"cat > {path} <<'EOF'\n{text.rstrip()}\nEOF")


def certificate(home: Path, name: str, *names: str, authority: str = "") -> str:
    """Make NAME.crt and NAME.key, an authority or for ``names`` by one; the certificate."""
    asked = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    asked += ["-nodes", "-days", "2", "-subj", f"/CN={names[0] if names else name}"]
    asked += ["-keyout", str(home / f"{name}.key"), "-out", str(home / f"{name}.crt")]
    if names:
        asked += ["-CA", str(home / f"{authority}.crt"), "-CAkey", str(home / f"{authority}.key")]
        said = [
            f"subjectAltName={','.join(f'DNS:{item}' for item in names)}",
            "basicConstraints=critical,CA:FALSE",
        ]
    else:
        said = ["keyUsage=critical,keyCertSign,cRLSign"]
    for extension in said:
        asked += ["-addext", extension]
    lab.run(*asked).ok()
    return (home / f"{name}.crt").read_text()
