"""What runs on a host, as part of an Ansible module: standard library only.

`module_utils/maestro` points at this package, so these files import each other
relatively and run on every Python a supported host has (3.10 or newer).
"""
