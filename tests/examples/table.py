"""docs/failures.md, written from the example files: every bad input, what holds it, what is said.

Run ``python tests/examples/table.py`` after adding an example.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from examples.collector import BAD, Case, cases  # noqa: E402 - found where this file is run by itself

PAGE = ROOT / "docs" / "failures.md"

GROUPS: Mapping[str, tuple[int, int]] = {
    "Version and source": (1, 21),
    "Build and check": (22, 40),
    "State and hand-off": (41, 55),
    "Signing": (56, 64),
    "Upload": (65, 83),
    "Smoke and wheelhouse": (84, 91),
}

TITLES: Mapping[int, str] = {
    1: "tag `v1.2` for version 1.2.0",
    2: "tag without `v`",
    3: "tag, `pyproject.toml` and package say different versions",
    4: "wheel and sdist METADATA differ",
    5: "`+local` version",
    6: "`.dev0` to PyPI",
    7: "epoch `1!2.0`",
    8: "invalid PEP 440 version",
    9: "tag points elsewhere than HEAD",
    10: "tag moved after the build",
    11: "commit not on the protected branch",
    12: "shallow clone without tags",
    13: "dirty tree",
    14: "untracked file the backend would pack",
    15: "dirty submodule",
    16: "no git repository, no git",
    17: "detached HEAD",
    18: "lightweight tag where an annotated one is required",
    19: "stale generated file",
    20: "metadata name is not the project's",
    21: "unnormalised file name",
    22: "backend raises",
    23: "backend writes nothing",
    24: "two wheels of one tag",
    25: "sdist does not build",
    26: "wheel from the sdist is not the wheel from the tree",
    27: "two builds differ",
    28: "README does not render",
    29: "License-File missing",
    30: "RECORD mismatch",
    31: "duplicate ZIP entry",
    32: "trailing data after the ZIP",
    33: "`.pth` in a wheel",
    34: "top-level `tests/`, `.env` packed",
    35: "file over the limit",
    36: "compression bomb",
    37: "`linux_x86_64` tag",
    38: "direct-URL dependency",
    39: "unhashed or missing tool lock",
    40: "names that are no UTF-8, spaces, other alphabets, path over 255",
    41: "receipt or SHA256SUMS missing, empty, truncated, contradictory, of an unknown schema",
    42: "one byte flipped",
    43: "extra file",
    44: "missing file",
    45: "link instead of a file",
    46: "`../` path",
    47: "names that differ only in case",
    48: "receipts of another version, project, world or of other bytes",
    49: "malformed digest",
    50: "lock of a dead owner, of a living one",
    51: "read-only folder, disk full",
    52: "stage out of order",
    53: "stage repeated after success",
    54: "SIGINT, SIGTERM, SIGKILL at each write",
    55: "clock wrong, SOURCE_DATE_EPOCH unusable",
    56: "no ambient identity",
    57: "bundle for another digest",
    58: "bundle of another repository, workflow, ref or issuer",
    59: "truncated bundle",
    60: "attestation for another file name",
    61: "empty attestation list",
    62: "no attestation served or given",
    63: "TUF cache broken or offline",
    64: "bundle replaced after signing",
    65: "401, 403, invalid-publisher and the other refusals of who we are",
    66: "identity token used twice",
    67: "upload token expires midway",
    68: "400: other bytes",
    69: "400: name used before",
    70: "400: 14 days",
    71: "429, Retry-After in seconds and as a date",
    72: "500, 502, 503, 504",
    73: "connection cut after the body",
    74: "hang",
    75: "redirect elsewhere",
    76: "200, but the file never appears",
    77: "HTML for JSON, broken JSON, wrong content type",
    78: "foreign file of our version",
    79: "TLS error",
    80: "URL typo, plain http, unknown host",
    81: "proxies, PIP_*, UV_*, TWINE_*, .pypirc, pip.conf present",
    82: "publish without being asked for",
    83: "fork or pull-request event",
    84: "dependency missing",
    85: "dependency squatted on Test PyPI",
    86: "dependency as an sdist only",
    87: "yanked dependency",
    88: "wheelhouse for another platform or Python",
    89: "archive with traversal, links, devices, twins, a bomb",
    90: "archive hash right, member hash wrong",
    91: "dead script, failing import, wrong version reported",
}

#: Cases that no file can say: the test that holds them below tests/, and what is said or happens.
TESTS: Mapping[int, Sequence[tuple[str, str]]] = {
    6: [
        ("stages/test_upload.py::test_a_pre_release_stays_on_test_pypi", "left out, said so"),
    ],
    7: [
        ("release/test_rules.py::test_versions", "version-epoch"),
        ("stages/test_build.py::test_epoch_is_refused_where_github_would_rename_files", "asset-name"),
    ],
    11: [
        ("worlds/test_opening.py::test_a_commit_beside_the_default_branch_is_refused", "commit-off-branch"),
    ],
    15: [
        ("stages/test_build.py::test_dirty_submodule_is_refused_even_in_a_rehearsal", "submodule-dirty"),
    ],
    17: [
        ("release/test_source.py::test_detached_head_and_worktree", "works"),
    ],
    18: [
        (
            "worlds/test_opening.py::test_a_lightweight_tag_on_github_is_refused_where_unwanted",
            "tag-lightweight",
        ),
    ],
    19: [
        ("stages/test_generators.py::test_stale_files_are_refused_by_name", "StaleFilesError"),
    ],
    20: [
        ("stages/test_build.py::test_each_kind_is_named", "WrongDistributionError"),
    ],
    21: [
        ("stages/test_build.py::test_unnormalised_file_name", "WrongDistributionError"),
    ],
    22: [
        ("stages/test_build.py::test_each_kind_is_named", "BackendFailedError"),
    ],
    23: [
        ("stages/test_build.py::test_each_kind_is_named", "NothingBuiltError"),
    ],
    24: [
        ("stages/test_build.py::test_each_kind_is_named", "WheelTagTwiceError"),
    ],
    25: [
        ("stages/test_build.py::test_each_kind_is_named", "SdistDoesNotBuildError"),
    ],
    26: [
        (
            "stages/test_build.py::test_wheel_that_differs_between_tree_and_sdist_is_told_apart",
            "sdist-differs-from-tree",
        ),
    ],
    27: [
        ("stages/test_build.py::test_requirement_refuses_and_keeps_nothing", "NotReproducibleError"),
    ],
    31: [
        ("release/test_rules.py::test_spoiled_wheels", "zip-duplicate"),
    ],
    36: [
        ("release/test_rules.py::test_spoiled_wheels", "compression-bomb"),
        ("release/test_rules.py::test_an_sdist_bomb_is_not_read_to_its_end", "compression-bomb"),
    ],
    40: [
        ("stages/test_upload.py::test_folders_with_spaces_accents_and_long_paths", "works"),
    ],
    42: [
        ("consumer/test_flipped_bytes.py::test_a_flipped_byte_in_a_release_is_refused", "FAIL"),
    ],
    50: [
        ("release/test_root.py::test_a_living_owner_is_named", "LockedError"),
        ("release/test_root.py::test_a_dead_owner_holds_nothing", "works"),
    ],
    51: [
        ("stages/test_runner.py::test_a_disk_that_refuses_is_one_clear_error", "NotWritableError"),
        ("release/test_root.py::test_a_read_only_project_is_told", "NotWritableError"),
    ],
    53: [
        (
            "stages/test_upload.py::test_all_files_arrive_with_their_attestations_and_a_second_run_sends_nothing",
            "skipped, said so",
        ),
    ],
    54: [
        ("release/test_directory.py::test_a_second_build_killed_anywhere_is_all_or_nothing", "goes on"),
        ("stages/test_runner.py::test_an_act_that_ends_early_leaves_nothing", "goes on"),
        ("e2e/test_recovery.py::test_a_run_ended_by_the_person_can_go_on", "goes on"),
    ],
    55: [
        ("stages/test_runner.py::test_a_wrong_clock_is_recorded_and_changes_nothing", "works"),
    ],
    57: [
        ("consumer/test_forgeries.py::test_a_forgery_is_refused_and_its_reason_named", "FAIL"),
    ],
    58: [
        ("consumer/test_forgeries.py::test_a_forgery_is_refused_and_its_reason_named", "FAIL"),
    ],
    60: [
        ("consumer/test_forgeries.py::test_a_forgery_is_refused_and_its_reason_named", "FAIL"),
    ],
    62: [
        ("consumer/test_verification.py::test_an_empty_provenance_fails", "FAIL"),
    ],
    63: [
        ("consumer/test_trust.py::test_a_trust_root_out_of_reach_is_said_so", "TrustRootError"),
        ("worlds/test_children.py::test_an_isolated_child_sees_nothing_of_the_user", "ignored"),
    ],
    72: [
        ("services/test_uploading.py::test_each_recorded_answer_is_translated", "goes on"),
    ],
    73: [
        ("stages/test_upload_faults.py::test_a_connection_cut_after_the_last_byte_is_settled_by_asking", "goes on"),
    ],
    80: [
        ("services/test_http.py::test_improper_addresses_are_refused", "AddressRefused"),
    ],
    81: [
        ("worlds/test_children.py::test_an_isolated_child_sees_nothing_of_the_user", "ignored"),
        ("worlds/test_rehearsal.py::test_a_pypirc_is_on_record", "ignored"),
    ],
    82: [
        ("worlds/test_publish.py::test_nothing_but_the_exact_request_is_consent", "PublishNotAskedForError"),
    ],
    83: [
        ("worlds/test_job.py::test_every_difference_is_a_finding", "job-event"),
    ],
    84: [
        ("stages/test_smoke.py::test_a_missing_dependency_is_named", "dependency-missing"),
        ("stages/test_wheelhouse.py::test_a_missing_dependency_is_named", "WheelsMissing"),
        ("stages/test_wheelhouse_targets.py::test_a_need_without_a_wheel_for_one_target_names_it", "WheelsMissing"),
        (
            "stages/test_wheelhouse_targets.py::test_an_archive_that_lacks_what_a_marker_asks_for_is_refused",
            "OfflineInstallFailed",
        ),
    ],
    85: [
        ("stages/test_smoke.py::test_a_dependency_out_of_test_pypi_is_refused", "dependency-confusion"),
        (
            "consumer/test_install_from_index.py"
            "::test_a_dependency_out_of_test_pypi_is_refused_before_anything_is_installed",
            "dependency-confusion",
        ),
    ],
    86: [
        ("stages/test_wheelhouse.py::test_a_dependency_without_wheels_is_named_as_such", "no-wheel"),
    ],
    87: [
        ("stages/test_wheelhouse.py::test_a_wheelhouse_is_whole_described_and_the_same_every_time", "warned of"),
    ],
    88: [
        ("release/test_targets.py::test_everything_wrong_with_a_list_is_said_at_once", "ConfigurationError"),
        ("stages/test_wheelhouse_targets.py::test_the_gates_hold_every_target_against_our_wheels", "wheel-unsupported"),
        ("stages/test_wheelhouse_page.py::test_the_lock_is_refused_where_it_was_not_made_for", "refused by pip and uv"),
        (
            "consumer/test_install_from_github.py::test_a_wheelhouse_for_elsewhere_is_refused_before_pip_is_asked",
            "WheelsUnfit",
        ),
    ],
    89: [
        ("release/test_extraction.py::test_hostile_and_broken_archives_are_refused", "ArchiveRefused"),
        ("release/test_extraction.py::test_a_bomb_is_stopped_by_what_it_grows_to", "ArchiveRefused"),
        ("release/test_extraction.py::test_no_tar_whatever_writes_outside_or_leaves_a_file", "ArchiveRefused"),
        (
            "consumer/test_install_hostile.py::test_what_is_no_flat_archive_of_its_own_wheels_is_refused",
            "ArchiveRefused",
        ),
    ],
    90: [
        ("release/test_extraction.py::test_what_is_expected_must_be_met_exactly", "ArchiveRefused"),
        (
            "stages/test_wheelhouse_page.py::test_a_changed_wheel_is_refused_by_list_and_lock",
            "refused by pip and uv",
        ),
        ("consumer/test_install_hostile.py::test_the_lists_of_a_release_must_agree", "DigestsDisagree"),
    ],
    91: [
        ("stages/test_smoke.py::test_everything_that_is_wrong_is_said_at_once", "dead-script"),
        ("stages/test_wheelhouse.py::test_a_wheel_that_does_not_work_offline_is_not_packed_up", "OfflineInstallFailed"),
    ],
    95: [
        ("stages/test_secrets.py::test_no_secret_is_told_when_it_fails", "redacted"),
        ("stages/test_secrets.py::test_no_secret_is_told_by_an_index_that_echoes_it", "redacted"),
        ("stages/test_secrets.py::test_no_secret_is_told_by_a_tool_that_tells_everything", "redacted"),
        ("e2e/test_secrets.py::test_no_credential_reaches_a_child_or_anything_kept", "redacted"),
    ],
}

_HEAD = """\
# Bad inputs: what is said, and what holds it

Every bad input of the six groups below ends in one clear error with the next command. A case is an example file in
`tests/examples/bad/` (adding a case is adding a file) or, where no file can say it, a test. The last column is the code
of the finding or the class of the error. Written by `python tests/examples/table.py`; a test keeps it true.
"""


def examples() -> list[Case]:
    """Every example file there is."""
    return [case for folder in sorted(BAD.iterdir()) if folder.is_dir() for case in cases(folder.name)]


def render() -> str:
    """The page."""
    lines = [_HEAD]
    for group, (first, last) in GROUPS.items():
        lines += [f"## {group}", "", "| # | bad input | held by | says |", "|---|---|---|---|"]
        for number in range(first, last + 1):
            title = TITLES[number]
            for held, says in _rows(number):
                lines.append(f"| {number} | {title} | {held} | {says} |")
                title = ""
        lines.append("")
    lines += ["## Beyond these groups", "", "| # | held by | says |", "|---|---|---|"]
    last = max(last for _, last in GROUPS.values())
    known = {number for case in examples() for number in _numbers(case)} | set(TESTS)
    beyond = sorted(number for number in known if number > last)
    lines += [f"| {number} | {held} | {says} |" for number in beyond for held, says in _rows(number)]
    return "\n".join([*lines, ""])


def _rows(number: int) -> Iterator[tuple[str, str]]:
    for case in examples():
        if number in _numbers(case):
            name = f"{case.stage}/{case.name}"
            yield f"[{name}](../tests/examples/bad/{name}.toml)", f"`{case.code or case.error}`"
    for test, says in TESTS.get(number, ()):
        yield f"`tests/{test}`", says if says.islower() and ("-" not in says or " " in says) else f"`{says}`"


def _numbers(case: Case) -> Sequence[int]:
    found: Sequence[int] = case.change.get("failure", ())
    return found


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
