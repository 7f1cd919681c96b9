"""The system's files that tell of memory and processors, as a machine or a container has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

GB = 10**9
UNLIMITED = 9223372036854771712  # what version 1 says

ALONE_2 = {"proc/self/cgroup": "0::/"}
INSIDE_2 = {"proc/self/cgroup": "0::/outer/inner"}
ALONE_1 = {"proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/\n0::/"}
HIDDEN_1 = {"proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc"}
MACHINE = {"proc/meminfo": f"MemTotal: 16000000 kB\nMemAvailable: {10 * GB // 1024} kB"}
"""Of 10 GB free, without limits."""


def write(root: Path, files: Mapping[str, object]) -> None:
    """Write files below a folder that stands for the root of the system."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def version_2(folder, limit, used=0, cached=0, cpu="max 100000"):
    group = f"sys/fs/cgroup/{folder}"
    return {
        f"{group}memory.max": limit,
        f"{group}memory.current": used,
        f"{group}memory.stat": f"anon 1\nactive_file 5\ninactive_file {cached}\nslab 7",
        f"{group}cpu.max": cpu,
    }


def version_1(folder, limit, used=0, cached=0, quota=-1):
    return {
        f"sys/fs/cgroup/memory/{folder}memory.limit_in_bytes": limit,
        f"sys/fs/cgroup/memory/{folder}memory.usage_in_bytes": used,
        f"sys/fs/cgroup/memory/{folder}memory.stat": f"cache 9\ntotal_inactive_file {cached}",
        f"sys/fs/cgroup/cpu,cpuacct/{folder}cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/cpu,cpuacct/{folder}cpu.cfs_period_us": 100000,
    }
