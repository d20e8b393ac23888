"""A clock that is wrong, for one process and all that it starts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# The clock of the day is read by these three calls; what measures intervals is left alone, as on a
# machine whose date was set wrong.
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long ahead(void) {
    const char *told = getenv("CLOCK_AHEAD_S");
    return told ? atol(told) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += ahead();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int failed = real(now, zone);
    if (!failed) now->tv_sec += ahead();
    return failed;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}
"""


def clock_ahead(folder: Path, seconds: int) -> dict[str, str]:
    """The environment of a process whose clock is so far ahead; skips without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, which makes the wrong clock")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE)
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the wrong clock cannot be compiled: {done.stderr}")
    return {"LD_PRELOAD": str(library), "CLOCK_AHEAD_S": str(seconds)}
