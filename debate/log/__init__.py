"""The run directory: append to it, resume it, read it, check it."""

from debate.deprecated import make_getattr
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

_RENAMED = {
    "FORMAT_VERSION": "debate.log.manifest.FORMAT_VERSION",
    "Problem": "debate.log.LogProblem",
    "Status": "debate.log.manifest.RunStatus",
    "Totals": "debate.log.manifest.RunTotals",
    "environment": "debate.log.manifest.detect_environment",
    "git_state": "debate.log.manifest.read_git_state",
    "hardware": "debate.log.manifest.detect_hardware",
    "package_versions": "debate.log.manifest.get_package_versions",
}
__getattr__ = make_getattr(__name__, _RENAMED)
