"""Lets moto's own tests of SQS run against the SQS under test, in place of moto."""

import functools
import os
from datetime import datetime

import boto3
import freezegun
import moto
import moto.core
import pytest

from sqs_under_test import Record, SqsUnderTest, use_only_loopback

ACCOUNT = "000000000000"

use_only_loopback()
os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT


class NoMock:
    """Stands in for `mock_aws`, as a decorator or a context: the requests really go out."""

    def __init__(self, *_arguments, **_options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return False

    def start(self, *_arguments, **_options):
        pass

    def stop(self):
        pass

    def __call__(self, function):
        return function


def mock_aws(function=None, **_options):
    return function if function is not None else NoMock()


moto.mock_aws = mock_aws
moto.core.DEFAULT_ACCOUNT_ID = ACCOUNT

under_test = SqsUnderTest()


class Frozen:
    """Stands in for `freeze_time`. From one frozen time to the next, the clock of the SQS moves by the difference."""

    latest = None

    def __init__(self, time):
        self._time = datetime.fromisoformat(time)

    def __enter__(self):
        if Frozen.latest is not None:
            under_test.advance((self._time - Frozen.latest).total_seconds())
        Frozen.latest = self._time

    def __exit__(self, *_error):
        return False


freezegun.freeze_time = Frozen

real_client = boto3.client


class Identity:
    def get_caller_identity(self):
        return {"Account": ACCOUNT}


@functools.wraps(real_client)
def client(service, *arguments, **options):
    return Identity() if service == "sts" else real_client(service, *arguments, **options)


boto3.client = client


@pytest.fixture(autouse=True)
def _fresh_sqs():
    Frozen.latest = None
    os.environ["AWS_ENDPOINT_URL_SQS"] = under_test.reset()


def pytest_configure(config):
    config.pluginmanager.register(Record(os.environ["SQS_SUITE_RECORD"]))


def pytest_unconfigure():
    under_test.close()
