"""Describes the machine on which something was timed. Linux and macOS."""

import os
import platform
import re
import subprocess
from pathlib import Path

# The instruction sets that determine how fast the kernels can be.
TELLING_FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


def describe():
    cpu, flags, memory = _cpu_and_memory()
    return {
        "cpu": cpu,
        "logical_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instruction_sets": [flag for flag in TELLING_FLAGS if flag in flags],
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def slug(place):
    """The machine as part of a file name."""
    words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*?\)", "", place["cpu"].lower())).strip("-")
    return f"{words}-{place['logical_cpus']}-cpus"


def _cpu_and_memory():
    """The processor's name, its feature flags, the memory in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():  # macOS
        name = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True).stdout.strip()
        return name or platform.processor(), [], memory

    def field(pattern):
        found = re.search(rf"^(?:{pattern})\s*:\s*(.*)$", text, re.MULTILINE)
        return found[1].strip() if found else ""

    text = cpuinfo.read_text()
    name = field("model name") or platform.machine()
    family, model = field("cpu family"), field("model")
    if family and model:  # in virtual machines the name alone is often generic
        name += f" (family {family}, model {model})"
    return name, field("flags|Features").split(), memory
