"""The filter of system calls of the sandbox `bubblewrap`, as the kernel's packet filter has it."""

from __future__ import annotations

import errno
import platform
import struct
from typing import Final

_DENIED: Final = {
    "x86_64": {
        **{"fork": 57, "vfork": 58, "clone": 56, "clone3": 435},
        **{"socket": 41, "socketpair": 53, "ptrace": 101, "unshare": 272, "setns": 308},
        **{"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161},
        **{"add_key": 248, "request_key": 249, "keyctl": 250, "bpf": 321},
        **{"perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425},
        **{"process_vm_readv": 310, "process_vm_writev": 311, "memfd_create": 319},
        **{"shmget": 29, "msgget": 68, "semget": 64},
        **{"kexec_load": 246, "init_module": 175, "finit_module": 313},
    },
    "aarch64": {
        **{"clone": 220, "clone3": 435},
        **{"socket": 198, "socketpair": 199, "ptrace": 117, "unshare": 97, "setns": 268},
        **{"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51},
        **{"add_key": 217, "request_key": 218, "keyctl": 219, "bpf": 280},
        **{"perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425},
        **{"process_vm_readv": 270, "process_vm_writev": 271, "memfd_create": 279},
        **{"shmget": 194, "msgget": 186, "semget": 190},
        **{"kexec_load": 104, "init_module": 105, "finit_module": 273},
    },
}
"""Calls that start processes or threads, reach the network, hold memory that no limit of a process
counts, or open the kernel wide; by the processor's name."""

_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_OTHER_ABI: Final = 0x40000000
"""Numbers from here on are the same calls under another convention of x86-64."""

_LOAD, _JUMP_EQUAL, _JUMP_FROM, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4


def make_filter(machine: str | None = None) -> bytes | None:
    """Return the filter for a kind of processor, by default this one's; None where there is none.

    It is a list of instructions of 8 bytes: an operation, two jumps and a value.
    """
    machine = machine or platform.machine()
    if machine not in _DENIED:
        return None
    numbers = sorted(_DENIED[machine].values())
    refuse = len(numbers) + 1
    lines = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _AT_NUMBER),
        (_JUMP_FROM, refuse, 0, _OTHER_ABI),
        *((_JUMP_EQUAL, refuse - 1 - at, 0, number) for at, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
