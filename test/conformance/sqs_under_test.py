"""What the plugins of both suites share: the SQS under test, and the record of what each test did."""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


class SqsUnderTest:
    """Sluice's own SQS, in a process of its own. See sqs-under-test.ts."""

    def __init__(self):
        self._process = subprocess.Popen(
            ["node", str(HERE / "sqs-under-test.ts")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if answer == "":
            raise RuntimeError(f"the SQS under test did not answer '{command}'")
        return answer

    def reset(self):
        """Starts an empty SQS and returns its endpoint."""
        return self._ask("reset")

    def advance(self, seconds):
        """Lets time pass for the SQS at once."""
        self._ask(f"advance {seconds}")

    def close(self):
        if self._process.stdin.closed:
            return
        self._process.stdin.close()
        self._process.wait(timeout=10)


def use_only_loopback():
    """Gives clients the credentials of the SQS under test, and no way to any other service."""
    os.environ.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_MAX_ATTEMPTS="1",
        AWS_EC2_METADATA_DISABLED="true",
    )


class Record:
    """Writes one JSON line per test to the file that the runner reads: its id and what it did."""

    def __init__(self, file):
        self._file = open(file, "w")
        self._outcomes = {}

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report):
        worst = self._outcomes.get(report.nodeid, "passed")
        outcome = "failed" if report.outcome == "failed" else worst
        if report.outcome == "skipped":
            outcome = "skipped"
        self._outcomes[report.nodeid] = outcome
        if report.when == "teardown":
            self._file.write(json.dumps({"id": report.nodeid, "outcome": outcome}) + "\n")
            self._file.flush()
