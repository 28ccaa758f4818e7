"""The options of a volume of the driver ``local``: what they mount, and from where."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

# File systems whose files are on a disk, in memory or on a server. Others are the kernel's own, and
# show the host whoever mounts them: proc, binfmt_misc, mqueue, debugfs.
_REMOTE = frozenset("nfs nfs3 nfs4 cifs smb3 smbfs ceph glusterfs lustre tmpfs ramfs".split())
_LOCAL = frozenset(
    "none bind ext2 ext3 ext4 xfs btrfs f2fs vfat exfat ntfs ntfs3 squashfs erofs iso9660".split()
)
_NAMED = frozenset("overlay 9p virtiofs zfs".split())  # whose device is a name, not a path
_LAYERS = ("lowerdir", "upperdir", "workdir", "datadir")  # of an overlay
KINDS = _REMOTE | _LOCAL | _NAMED


def paths(kind: str, device: str, said: Iterable[str]) -> list[str]:
    """Paths in a volume's options: its device, and layers of an overlay."""
    options = [item.partition("=") for item in said]
    layers = [
        part
        for name, _, value in options
        for part in value.split(":")
        if name.startswith(_LAYERS) or posixpath.isabs(part)
    ]
    bound = any(name in ("bind", "rbind") for name, _, _ in options)
    is_path = bound or kind not in _REMOTE | _NAMED
    return [path for path in (device if is_path else "", *layers) if path]
