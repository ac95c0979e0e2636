"""The folder of one kernel's sockets and keys: what is removed in the end is that, or nothing."""

from __future__ import annotations

import errno
import os
import stat

ONLY_OURS = 0o700


class Folder:
    """A folder that is ours alone.

    Args:
        path: absolute.
        device, inode: which folder it was when it was looked at.
    """

    __slots__ = ("device", "inode", "path")  # and not of `typing`, which would double a reaper

    def __init__(self, path: str, device: int, inode: int) -> None:
        self.path = path
        self.device = device
        self.inode = inode


def look_at(path: str) -> Folder:
    """The folder at a path, once it has been seen that nobody else can enter it.

    Raises:
        OSError: it is a link, or not a folder, or somebody else's, or open to others.
    """
    path = os.path.abspath(path)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != ONLY_OURS:
        raise PermissionError(errno.EPERM, "must be our own, with the mode 0700", path)
    return Folder(path, found.st_dev, found.st_ino)


def remove(folder: Folder) -> None:
    """Remove it with all that is in it; if another has its name now, nothing at all.

    No link is followed, and nothing on another file system is touched.
    """
    try:
        handle = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        found = os.fstat(handle)
        if (found.st_dev, found.st_ino) != (folder.device, folder.inode):
            return
        _empty(handle, folder.device)
        os.rmdir(folder.path)
    except OSError:  # whatever can't be removed stays
        return
    finally:
        os.close(handle)


def _empty(handle: int, device: int) -> None:
    for name in os.listdir(handle):
        try:
            os.unlink(name, dir_fd=handle)
        except OSError:  # a folder: Linux says EISDIR, macOS EPERM
            _remove_inside(name, handle, device)


def _remove_inside(name: str, parent: int, device: int) -> None:
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        handle = os.open(name, flags, dir_fd=parent)
    except OSError:
        return
    try:
        if os.fstat(handle).st_dev == device:
            _empty(handle, device)
            os.rmdir(name, dir_fd=parent)
    except OSError:
        return
    finally:
        os.close(handle)
