"""The run directory: append to it, resume it, read it, check it."""

from debate.log.cache import CallCache
from debate.log.files import LogProblem
from debate.log.identity import read_questions
from debate.log.manifest import Manifest, read_manifest
from debate.log.run import Run
from debate.log.store import RunLog
from debate.log.table import read_table
from debate.log.verify import check_log

__all__ = [
    "CallCache",
    "LogProblem",
    "Manifest",
    "Run",
    "RunLog",
    "check_log",
    "read_manifest",
    "read_questions",
    "read_table",
]
