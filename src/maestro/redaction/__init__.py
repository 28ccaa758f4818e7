"""Keeps secrets out of every output: known ones in any form, unknown ones by format, key and place.

Standard library and relative imports only: the package also runs on the hosts.
"""

from .redactor import MASK, Redactor

__all__ = ["MASK", "Redactor"]
