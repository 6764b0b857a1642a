"""Hold: bundles that this process has loaded, by the digest of their manifest.

A job names the bundle that it was checked with by digest. So all its stages use the same one, a job that follows in
the same process does not load it again, and one whose files were replaced or broken since stays usable from memory.
"""

from __future__ import annotations

import threading
from pathlib import Path

from transforms.bundle import DEFAULT_BUNDLE, MANIFEST, Bundle, BundleError, digest, load_bundle

_LOCK = threading.Lock()
_HELD: dict[str, Bundle] = {}
#: Bundles held at most: the one in use and the one that takes its place.
_MOST = 2


#: Stands for the bundle that ships, wherever a process has it installed: a worker elsewhere than who started the job.
SHIPPED = ""


def held(path: str, wanted: str) -> Bundle:
    """The bundle whose manifest has the SHA-256 `wanted`: from memory, or from `path` (or `SHIPPED`).

    Raises:
        BundleError: it is not held, and what is at `path` is another one or cannot be loaded.
    """
    path = path or str(DEFAULT_BUNDLE)
    with _LOCK:
        if wanted not in _HELD:
            loaded = load_bundle(path)
            found = manifest_digest(path)
            if found != wanted:
                raise BundleError(f"{path}: the bundle was replaced while the job ran; run it again")
            while len(_HELD) >= _MOST:
                _HELD.pop(next(iter(_HELD)))
            _HELD[wanted] = loaded
        return _HELD[wanted]


def manifest_digest(path: str | Path) -> str:
    """SHA-256 of a bundle's manifest, in which the digests of all its files stand.

    Raises:
        BundleError: there is none.
    """
    try:
        return digest(Path(path) / MANIFEST)
    except OSError as error:
        raise BundleError(f"{path}: no {MANIFEST} can be read there; give the folder of a model bundle") from error
