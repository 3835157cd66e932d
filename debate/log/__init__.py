"""The run directory: append to it, resume it, read it, check it."""

from debate.log.cache import CallCache
from debate.log.environment import environment, git_state, hardware, package_versions
from debate.log.identity import read_questions
from debate.log.layout import FORMAT_VERSION, Problem
from debate.log.manifest import Manifest, Status, Totals, read_manifest
from debate.log.run import Run
from debate.log.store import RunLog
from debate.log.table import read_table
from debate.log.verify import verify

__all__ = [
    "FORMAT_VERSION",
    "CallCache",
    "Manifest",
    "Problem",
    "Run",
    "RunLog",
    "Status",
    "Totals",
    "environment",
    "git_state",
    "hardware",
    "package_versions",
    "read_manifest",
    "read_questions",
    "read_table",
    "verify",
]
