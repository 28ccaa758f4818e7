"""Keeps secrets out of everything `ansible-playbook` shows and writes.

All output of Ansible's main process passes `Display.display`: results, banners, warnings, `-vvv`
lines, tracebacks. `install` puts the redaction right there, and into the handlers of the log file,
so it holds for every callback plugin and every verbosity.

Secrets register themselves: what Ansible Vault decrypts, the inputs of a role that are `no_log`,
the answers to private prompts, and what `register_secrets` is told. Tasks run in forked workers;
what one of them registers travels to the main process through the queue that carries its messages,
ahead of any message that could hold the secret. It is never written to a file or an environment.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from ansible import constants
from ansible._internal._datatag._tags import SourceWasEncrypted, VaultedValue
from ansible.errors import AnsibleError
from ansible.executor import task_result
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.module_utils._internal._datatag import AnsibleTagHelper
from ansible.parsing.vault import EncryptedString, VaultLib
from ansible.plugins.loader import action_loader
from ansible.utils.display import Display

from ..redaction import MASK, Redactor, keys, registry, values

try:  # ansible-core 2.22 and newer mask results themselves.
    from ansible.module_utils.secrets import register_secrets as _register_natively
except ImportError:
    _register_natively = None

_PREFIX = "MAESTRO_SECRET_"
_redactor = Redactor()
_lock = threading.RLock()
_installed = False


def hide(text: str) -> str:
    """Return a text as it may be shown."""
    with _lock:
        return _redactor.text(text)


def redactor() -> Redactor:
    """The redactor of this process, with every secret that was registered."""
    return _redactor


def redact(value: Any, secrets: Any = (), *, unknown: bool = True) -> Any:
    """The filter `redact`: a value with every secret in it masked."""
    plain = _native(value)
    with _lock:
        shown = _redactor.obj(plain, unknown=unknown)
    if not secrets:
        return shown
    given = [str(secrets)] if isinstance(secrets, str) else secrets
    return Redactor(given, unknown=False).obj(shown)


def _native(value: Any) -> Any:
    """Return a value without Ansible's tags, and with a mask for what came out of a vault."""
    if isinstance(value, Mapping):
        return {_native(key): _native(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        inner = [_native(each) for each in value]
        return tuple(inner) if isinstance(value, tuple) else inner
    if isinstance(value, (str, EncryptedString)):
        text = str(value)
        vaulted = isinstance(value, EncryptedString) or VaultedValue.get_tag(value) is not None
        if not vaulted or registry.is_plain(text):
            return text
        register_secrets([text])
        return MASK
    return AnsibleTagHelper.as_native_type(value)


def redact_label(value: Any, length: int = 8) -> str:
    """The filter `redact_label`: the same short tag for the same secret, all through a play."""
    return _redactor.label(str(value), length=length)


def register_secrets(secrets: Mapping[str, str] | Iterable[str]) -> None:
    """Have values masked from now on, by name where there is one."""
    named = dict(secrets) if isinstance(secrets, Mapping) else dict.fromkeys(secrets)
    pairs: list[tuple[str | None, str]] = [
        (None, str(name)) if value is None else (str(name), str(value))
        for name, value in named.items()
    ]
    queue = Display()._final_q  # noqa: SLF001 -- the way a worker's messages take
    if queue is None:
        _take(pairs)
    elif _installed:
        queue.send_display("maestro_take_secrets", pairs)


def _take(pairs: list[tuple[str | None, str]]) -> None:
    with _lock:
        for name, value in pairs:
            _redactor.add(value, name)
    if _register_natively:
        _register_natively([value for _, value in pairs if not registry.why_not(value)])


def installed() -> bool:
    """Whether the redaction is under everything this process shows, or its parent does."""
    return _installed


def install() -> None:
    """Put the redaction under everything that is shown. A second call does nothing."""
    global _installed  # noqa: PLW0603 -- once in a process
    if _installed:
        return
    _installed = True
    Display.maestro_take_secrets = staticmethod(_take)
    _wrap(Display, "display", _displaying)
    _wrap(Display, "do_var_prompt", _prompting)
    _wrap(VaultLib, "decrypt", _decrypting)
    for handler in logging.root.handlers:
        handler.addFilter(_filter)
    specification = action_loader.get("ansible.builtin.validate_argument_spec", class_only=True)
    if specification is not None:
        _wrap(specification, "get_args_from_task_vars", _reading_arguments)
    if any(not name.startswith("maestro.stacks.") for name in constants.CALLBACKS_ENABLED):
        _wrap_other_callbacks()
    register_secrets(_environment())
    register_secrets(_decrypted_before())


Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


def _wrap(owner: Any, name: str, wrapper: Wrapper) -> None:
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(wrapper(original)))


_make_room: list[Callable[[], None]] = []


def shares_screen(make_room: Callable[[], None], waits: Callable[[str, str], None]) -> None:
    """Call ``make_room`` before anything is shown, and ``waits`` with what workers `tell`."""
    _make_room.append(make_room)
    Display.maestro_waits = staticmethod(waits)


def is_told() -> bool:
    """Whether a screen wants to know what hosts wait for."""
    return bool(_make_room) and Display()._final_q is not None  # noqa: SLF001


def tell(host: str, what: str) -> None:
    """Say from a worker what its host waits for, where a screen wants to know."""
    if is_told():
        Display()._final_q.send_display("maestro_waits", host, what)  # noqa: SLF001


def _displaying(original: Callable[..., Any]) -> Callable[..., Any]:
    def display(self: Any, msg: Any, *args: Any, **kwargs: Any) -> None:
        if self._final_q is None and isinstance(msg, str):
            msg = hide(msg)
            for clear in _make_room:
                clear()
        original(self, msg, *args, **kwargs)

    return display


def _prompting(original: Callable[..., Any]) -> Callable[..., Any]:
    def do_var_prompt(self: Any, varname: str, *args: Any, **kwargs: Any) -> Any:
        answer = original(self, varname, *args, **kwargs)
        if (args[0] if args else kwargs.get("private", True)) and answer:
            register_secrets({varname: str(answer)})
        return answer

    return do_var_prompt


def _decrypting(original: Callable[..., Any]) -> Callable[..., Any]:
    def decrypt(self: Any, vaulttext: Any) -> Any:
        plaintext = original(self, vaulttext)
        # A play must not fail because of its output; the value is still masked by its key.
        with contextlib.suppress(AnsibleError, OSError, TypeError, ValueError):
            register_secrets(_vaulted(bytes(plaintext).decode("utf-8", "surrogateescape")))
        return plaintext

    return decrypt


def _reading_arguments(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_args_from_task_vars(self: Any, argument_spec: Any, task_vars: Any) -> Any:
        args = original(self, argument_spec, task_vars)
        register_secrets(_hidden_inputs(argument_spec, args))
        return args

    return get_args_from_task_vars


def _wrap_other_callbacks() -> None:
    """Redact what plugins get that write files of their own or send results elsewhere."""
    if hasattr(task_result, "_RawTaskResult"):  # what every callback gets comes from there
        _wrap(task_result._RawTaskResult, "as_callback_task_result", _as_callback)  # noqa: SLF001
    else:  # ansible-core 2.21 and newer: a callback makes its copy when it looks
        made = task_result.CallbackTaskResult.__dict__["result"].func
        copy = functools.cached_property(lambda self: _redacted(made(self)))
        copy.__set_name__(task_result.CallbackTaskResult, "result")
        task_result.CallbackTaskResult.result = copy
    if any(name.rsplit(".", 1)[-1] == "junit" for name in constants.CALLBACKS_ENABLED):
        from ansible.utils._junit_xml import TestSuites  # noqa: PLC0415 -- seldom needed

        _wrap(TestSuites, "to_pretty_xml", lambda original: lambda self: hide(original(self)))


def _as_callback(original: Callable[..., Any]) -> Callable[..., Any]:
    def as_callback_task_result(self: Any) -> Any:
        result = original(self)
        result._return_data = _redacted(result._return_data)  # noqa: SLF001
        return result

    return as_callback_task_result


def _redacted(data: Any) -> Any:
    with _lock:
        return _redactor.obj(data)


class _Filter(logging.Filter):
    """Redacts the records of the log file, whichever library wrote them."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = hide(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = hide(logging.Formatter().formatException(record.exc_info))
        return True


_filter = _Filter()


def _environment() -> dict[str, str]:
    """Secrets that came in the environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_PREFIX)
        or (keys.is_secret(name) and not values.is_harmless(value, name, quoted=True))
    }


def _hidden_inputs(spec: Any, given: Any, name: str = "") -> dict[str, str]:
    """The values of a role's inputs that its specification marks `no_log`."""
    found: dict[str, str] = {}
    if not isinstance(spec, Mapping) or not isinstance(given, Mapping):
        return found
    for option, rules in spec.items():
        value = given.get(option)
        path = f"{name}.{option}" if name else str(option)
        if not isinstance(rules, Mapping) or value is None:
            continue
        if rules.get("no_log"):
            found.update(_leaves(value, path))
        elif rules.get("options"):
            for number, item in enumerate(value if isinstance(value, list) else [value]):
                found.update(_hidden_inputs(rules["options"], item, f"{path}[{number}]"))
    return found


def _leaves(value: Any, name: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {
            path: leaf
            for key, inner in value.items()
            for path, leaf in _leaves(inner, f"{name}.{key}").items()
        }
    if isinstance(value, (list, tuple)):
        return {
            path: leaf
            for number, inner in enumerate(value)
            for path, leaf in _leaves(inner, f"{name}[{number}]").items()
        }
    return {} if value is None or isinstance(value, bool) else {name: str(value)}


def _decrypted_before() -> dict[str, str]:
    """The secrets in files from a vault that were read before plugins were loaded.

    These are `-e @FILE`, the variables of roles, and the playbook itself; Ansible's loader keeps
    them. It belongs to who loads the plugins.
    """
    frame = sys._getframe()  # noqa: SLF001 -- nobody hands the loader to a callback
    while frame := frame.f_back:  # type: ignore[assignment]
        owner = frame.f_locals.get("self")
        if isinstance(owner, TaskQueueManager):
            break
    else:
        return {}
    found: dict[str, str] = {}
    for path, tree in owner._loader._FILE_CACHE.items():  # noqa: SLF001
        if SourceWasEncrypted.is_tagged_on(tree):
            held = _in_tree(tree) if isinstance(tree, (Mapping, list)) else _vaulted(str(tree))
            found.update({f"{path}: {name}": value for name, value in held.items()})
    return found


def _vaulted(text: str) -> dict[str, str]:
    """The secrets in what a vault held: one value, or a file of variables."""
    tree: Any = None
    if "\n" in text.strip() or ":" in text:
        try:
            tree = yaml.load(text, Loader=_AnyTag)  # noqa: S506 -- a SafeLoader
        except yaml.YAMLError:
            tree = None
    if not isinstance(tree, (Mapping, list)):
        return {} if registry.is_plain(text) else {"a vaulted value": text}
    return _in_tree(tree)


def _in_tree(tree: Any) -> dict[str, str]:
    return {
        name: leaf
        for name, leaf in _leaves(tree, "vault").items()
        if keys.is_secret(name.rsplit(".", 1)[-1].split("[")[0]) or not registry.is_plain(leaf)
    }


class _AnyTag(yaml.SafeLoader):
    """Reads tags it does not know as the plain value."""


def _plain_node(loader: _AnyTag, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_AnyTag.add_multi_constructor("!", _plain_node)
