"""Programs that try to get out, to hang or to flood, and what each must come to."""

from __future__ import annotations

from typing import NamedTuple


class Hostile(NamedTuple):
    """A program; a text that its output must not hold; and that is only there where it got out."""

    name: str
    code: str
    ends: frozenset[str]


LIMITED = frozenset({"timeout", "memory", "flood", "died", "error"})
REFUSED = frozenset({"error", "died", "memory", "timeout"})
"""What ends a program that was refused something; on a busy machine its time may end it first."""
ANY = LIMITED | {"done"}

_ESCAPED = "print('ESCAPED')"


def _try(attempt: str) -> str:
    """A program that says ESCAPED where the attempt raises nothing."""
    return f"{attempt}\n{_ESCAPED}"


HOSTILE = [
    # What must be refused.
    Hostile("reads a file of the host", _try("open('/etc/passwd').read()"), REFUSED),
    Hostile("reads a key of the host", _try("open('/root/.ssh/id_rsa').read()"), REFUSED),
    Hostile("reads another's memory", _try("open('/proc/self/mem', 'rb').read(1)"), REFUSED),
    Hostile("lists the home folder", _try("import os\nos.listdir('/home')"), REFUSED),
    Hostile("reads a variable", _try("import os\nos.environ['SANDBOX_TEST_KEY']"), REFUSED),
    Hostile("writes to a library", _try("open('/usr/lib/x', 'w').write('x')"), REFUSED),
    Hostile("writes at the root", _try("open('/x', 'w').write('x')"), REFUSED),
    Hostile("fills shared memory", _try("open('/dev/shm/x', 'w').write('x')"), REFUSED),
    Hostile("opens a socket", _try("import socket\nsocket.socket()"), REFUSED),
    Hostile(
        "asks a name server", _try("import socket\nsocket.getaddrinfo('example.org', 80)"), REFUSED
    ),
    Hostile("starts a shell", _try("import os\nassert os.system('true') == 0"), REFUSED),
    Hostile(
        "starts a child",
        _try("import subprocess\nsubprocess.run(['/bin/sh', '-c', 'id'])"),
        REFUSED,
    ),
    Hostile("forks for ever", "import os\nwhile True: os.fork()", REFUSED),
    Hostile(
        "leaves a child behind",
        _try("import os\nif os.fork() == 0:\n  os.setsid()\n  while True: pass"),
        REFUSED,
    ),
    Hostile(
        "starts a thread",
        _try("import threading\nthreading.Thread(target=print).start()"),
        REFUSED,
    ),
    Hostile(
        "calls C",
        _try("import ctypes\nassert ctypes.CDLL(None).socket(2, 1, 0) >= 0"),
        REFUSED,
    ),
    Hostile(
        "finds a class by subclasses",
        _try(
            "s = ().__class__.__bases__[0].__subclasses__()\n"
            "w = [c for c in s if c.__name__ == '_wrap_close'][0]\n"
            "assert w.__init__.__globals__['system']('true') == 0"
        ),
        REFUSED,
    ),
    Hostile(
        "raises its own limits",
        _try("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))"),
        REFUSED,
    ),
    Hostile("kills its parent", "import os\nos.kill(os.getppid(), 9)", ANY),
    Hostile("kills all", "import os\nos.kill(-1, 9)", REFUSED),
    Hostile("reads what is asked of nobody", _try("input()"), REFUSED),
    Hostile("is no Python", "import (", REFUSED),
    Hostile("nests too deeply", "x = " + "(" * 20_000 + ")" * 20_000, REFUSED),
    # What would never end.
    Hostile("loops for ever", "while True: pass", frozenset({"timeout"})),
    Hostile("sleeps", "import time\ntime.sleep(1000)", frozenset({"timeout", "done"})),
    Hostile(
        "will not be told to end",
        "try:\n  import signal\n  for n in range(1, 32):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\n"
        "except ImportError: pass\nwhile True: pass",
        frozenset({"timeout", "error"}),
    ),
    Hostile(
        "catches what would end it",
        "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
        frozenset({"timeout"}),
    ),
    Hostile(
        "backtracks in a pattern", "import re\nre.match('(a|a)*$', 'a' * 40 + 'b')", ANY - {"flood"}
    ),
    Hostile("computes a power", "pow(3, 10**9)", frozenset({"timeout", "memory"})),
    Hostile(
        "branches in finally",
        "def f():\n  try: f()\n  finally: f()\nf()",
        frozenset({"timeout", "error", "died"}),
    ),
    Hostile(
        "closes its outputs and sleeps",
        "import os, time\nos.closerange(0, 100)\ntime.sleep(1000)",
        frozenset({"timeout", "error"}),
    ),
    Hostile(
        "prints drop by drop",
        "import time\nwhile True:\n  print('x', flush=True)\n  time.sleep(0.005)",
        frozenset({"timeout", "flood"}),
    ),
    Hostile(
        "floods the channel of errors",
        "import os\nwhile True: os.write(3, b'x' * 1000)",
        frozenset({"timeout", "error"}),
    ),
    # What would take all there is.
    Hostile("allocates at once", "x = bytearray(10**10)", REFUSED),
    Hostile("allocates in a list", "x = [0] * 10**9", frozenset({"memory", "timeout"})),
    Hostile("grows a text", "s = 'a'\nwhile True: s += s", frozenset({"memory", "timeout"})),
    Hostile("grows a list", "x = []\nwhile True: x.append('a' * 10**6 + str(len(x)))", LIMITED),
    Hostile("returns a huge number", "x = 10**10**8", frozenset({"memory", "timeout"})),
    Hostile("prints a huge number", "print(10**10**4)", ANY),
    Hostile("recurses", "def f(): return f()\nf()", REFUSED),
    Hostile("nests JSON", "import json\njson.loads('[' * 10**6)", REFUSED),
    Hostile(
        "fills the disk",
        "n = 0\nwhile True:\n  open(f'/tmp/{n}', 'w').write('x' * 10**6)\n  n += 1",
        REFUSED,
    ),
    Hostile(
        "opens files for ever",
        "fs = []\nwhile True: fs.append(open('/tmp/x', 'w'))",
        REFUSED,
    ),
    Hostile(
        "holds memory in files",
        _try("import os\nfor n in range(64): os.write(os.memfd_create('x'), b'x' * 10**6)"),
        REFUSED,
    ),
    # What would bury a reader.
    Hostile("prints for ever", "while True: print('x' * 1000)", frozenset({"flood", "timeout"})),
    Hostile("prints one long line", "print('x' * 10**7)", frozenset({"flood", "timeout"})),
    Hostile(
        "prints errors for ever",
        "import sys\nwhile True: print('x' * 1000, file=sys.stderr)",
        LIMITED,
    ),
    Hostile("raises a long error", "raise ValueError('x' * 10**7)", REFUSED),
    Hostile("prints control characters", r"print('\x1b[2J\x1b]0;t\x07\x00\x9b31m\u202eok')", ANY),
    Hostile("prints half a character", r"print('\ud800')", ANY),
    Hostile("leaves without a word", "import os\nos._exit(0)", ANY),
    Hostile("claims an exit code", "import sys\nsys.exit(3)", ANY),
]
