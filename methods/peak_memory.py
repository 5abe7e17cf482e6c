"""The most memory that some work took, whatever the process had held before."""

import ctypes
import resource
import sys
import time
import weakref
from pathlib import Path
from threading import Thread

import torch

_PROCESS = Path("/proc/self")
_FORGET_PEAK = "5"
"""What Linux takes, written to `clear_refs`, for the wish to set the peak back to what is resident."""
_SAMPLED_EVERY = 0.02
"""Seconds, where the kernel keeps no peak that could be set back."""


class PeakMemory:
    """Memory taken since it was made, beyond what was held then: of all GPUs where there are any, else of the process.

    One at a time: a second one sets the kernel's peak back for the first.
    """

    def __init__(self) -> None:
        self._gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else range(0)
        for gpu in self._gpus:
            torch.cuda.reset_peak_memory_stats(gpu)
        self._gpu_before = sum(torch.cuda.memory_allocated(gpu) for gpu in self._gpus)
        _return_free_memory()
        self._before = self._most = resident_bytes()
        self._is_kept_by_kernel = _forget_peak()
        if not self._is_kept_by_kernel:
            Thread(target=_watch, args=(weakref.ref(self),), daemon=True).start()

    def growth(self) -> int:
        """Bytes, at most so far."""
        if self._gpus:
            return sum(torch.cuda.max_memory_allocated(gpu) for gpu in self._gpus) - self._gpu_before
        self.look()
        return self._most - self._before

    def look(self) -> None:
        """Take what is resident now into account."""
        now = peak_bytes() if self._is_kept_by_kernel else resident_bytes()
        self._most = max(self._most, now)


def resident_bytes() -> int:
    """What the process holds in memory; where no `/proc` tells, the most it ever held."""
    return _status("VmRSS") or _largest_ever()


def peak_bytes() -> int:
    """The most that the process held in memory, since the peak was last set back where that can be done."""
    return _status("VmHWM") or _largest_ever()


def _status(name: str) -> int:
    try:
        lines = (_PROCESS / "status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _largest_ever() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _forget_peak() -> bool:
    """Whether the kernel could set the peak back to what is resident."""
    try:
        (_PROCESS / "clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
    except OSError:
        return False
    return _status("VmHWM") > 0


def _return_free_memory() -> None:
    """What was freed and is kept by the allocator would be used again, and not be seen as taken."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim:
        trim(0)


def _watch(watched: "weakref.ref[PeakMemory]") -> None:
    while (peak := watched()) is not None:
        peak.look()
        del peak  # it ends the watch by going
        time.sleep(_SAMPLED_EVERY)
