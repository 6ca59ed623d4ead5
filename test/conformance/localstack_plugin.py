"""Lets LocalStack's tests of SQS, and the snapshots that LocalStack recorded on AWS, run against the SQS under test.

LocalStack itself is not installed. Its tests import helpers from it, so this plugin provides the few that they need.
"""

import base64
import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import time
import types
import uuid
from pathlib import Path
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from localstack_snapshot.snapshots.transformer import RegexTransformer

from sqs_under_test import Record, SqsUnderTest, use_only_loopback

ACCOUNT = "000000000000"
REGION = "us-east-1"
SOURCE = Path(os.environ["SQS_SUITE_SOURCE"])

use_only_loopback()


under_test = SqsUnderTest()
real_sleep = time.sleep

# A test that waits for time to pass lets it pass at once.
time.sleep = under_test.advance


def short_uid():
    return uuid.uuid4().hex[:8]


def retry(function, retries=3, sleep=1.0, sleep_before=0, **options):
    time.sleep(sleep_before)
    for left in range(int(retries), -1, -1):
        try:
            return function(**options)
        except Exception:
            if left == 0:
                raise
            time.sleep(sleep)


def poll_condition(condition, timeout=None, interval=0.5):
    end = time.monotonic() + (timeout or 60)
    while not condition():
        if time.monotonic() > end:
            return False
        real_sleep(interval)
    return True


def queue_arn(name, account_id=ACCOUNT, region_name=REGION):
    return f"arn:aws:sqs:{region_name}:{account_id}:{name}"


def encode_task(task_id, source_arn):
    return base64.b64encode(json.dumps({"taskId": task_id, "sourceArn": source_arn}).encode()).decode()


def decode_task(handle):
    task = json.loads(base64.b64decode(handle))
    return task["taskId"], task["sourceArn"]


class Marks:
    """`markers.aws.validated`, `markers.snapshot.skip_snapshot_verify(paths=...)` and the like."""

    def __getattr__(self, name):
        if name in ("aws", "parity", "snapshot"):
            return Marks()
        return getattr(pytest.mark, name)


PROVIDED = {
    "localstack.services.sqs.constants": {"DEFAULT_MAXIMUM_MESSAGE_SIZE": 1_048_576, "SQS_UUID_STRING_SEED": "seed"},
    "localstack.services.sqs.provider": {"MAX_NUMBER_OF_MESSAGES": 10},
    "localstack.services.sqs.utils": {
        "parse_queue_url": lambda url: (url.split("/")[-2], None, url.split("/")[-1]),
        "encode_move_task_handle": encode_task,
        "decode_move_task_handle": decode_task,
    },
    "localstack": {
        "config": types.SimpleNamespace(
            SQS_DELAY_PURGE_RETRY=True,
            SQS_DELAY_RECENTLY_DELETED=True,
            SQS_ENABLE_MESSAGE_RETENTION_PERIOD=True,
        )
    },
    # The SQS under test must do as AWS does, also where a test asks less of LocalStack.
    "localstack.testing.aws.util": {"is_aws_cloud": lambda: True},
    "localstack.testing.pytest": {"markers": Marks()},
    "localstack.utils.aws": {"arns": types.SimpleNamespace(sqs_queue_arn=queue_arn, get_partition=lambda _region: "aws")},
    "localstack.utils.aws.arns": {"sqs_queue_arn": queue_arn, "get_partition": lambda _region: "aws"},
    "localstack.utils.common": {
        "poll_condition": poll_condition,
        "retry": retry,
        "short_uid": short_uid,
        "short_uid_from_seed": lambda _seed: "seeded",
        "to_str": lambda text: text.decode() if isinstance(text, bytes) else text,
    },
    "localstack.utils.strings": {"token_generator": lambda text: base64.b64encode(text.encode()).decode()},
    "localstack.utils.sync": {"poll_condition": poll_condition, "retry": retry},
    "localstack.utils.net": {"IP_REGEX": r"\d+\.\d+\.\d+\.\d+"},
    "tests.aws.services.lambda_.functions": {},
    "tests.aws.services.lambda_.test_lambda": {},
}


class ProvidedModules:
    """Provides every module of LocalStack. What is not listed above is a mock: no test that is run depends on it."""

    def find_spec(self, name, _path=None, _target=None):
        if name == "localstack" or name.startswith("localstack.") or name.startswith("tests.aws.services.lambda_"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = lambda name: MagicMock(name=name)
        for name, value in PROVIDED.get(spec.name, {}).items():
            setattr(module, name, value)
        return module

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, ProvidedModules())


def transformers():
    """The suite's own rules for what of an answer differs from one recording to the next."""
    file = SOURCE / "localstack-core/localstack/testing/snapshots/transformer_utility.py"
    spec = importlib.util.spec_from_file_location("localstack_transformers", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TRANSFORMERS = transformers()


@pytest.fixture(autouse=True)
def endpoint():
    return under_test.reset()


def client(endpoint, **options):
    return boto3.client("sqs", endpoint_url=endpoint, region_name=REGION, config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def aws_client(endpoint):
    sqs = client(endpoint)
    return types.SimpleNamespace(sqs=sqs, sqs_query=None, sqs_json=sqs)


@pytest.fixture
def account_id():
    return ACCOUNT


@pytest.fixture
def region_name():
    return REGION


@pytest.fixture
def sqs_create_queue(aws_client):
    def create(**options):
        options.setdefault("QueueName", f"test-queue-{short_uid()}")
        return aws_client.sqs.create_queue(**options)["QueueUrl"]

    return create


@pytest.fixture
def sqs_queue(sqs_create_queue):
    return sqs_create_queue()


@pytest.fixture
def sqs_get_queue_arn():
    return lambda url: queue_arn(url.split("/")[-1])


@pytest.fixture
def sqs_queue_exists(aws_client):
    def exists(url):
        try:
            return aws_client.sqs.get_queue_url(QueueName=url.split("/")[-1])["QueueUrl"] == url
        except ClientError:
            return False

    return exists


@pytest.fixture
def sqs_collect_messages(aws_client):
    def collect(queue_url, expected, timeout, delete=True, attribute_names=None, message_attribute_names=None, **options):
        collected = []

        def receive():
            answer = aws_client.sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=options.get("max_number_of_messages", 1),
                WaitTimeSeconds=options.get("wait_time_seconds", 5),
                AttributeNames=attribute_names or [],
                MessageAttributeNames=message_attribute_names or [],
            )
            for message in answer.get("Messages", []):
                collected.append(message)
                if delete:
                    aws_client.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            return len(collected) >= expected

        poll_condition(receive, timeout=timeout, interval=0)
        return collected

    return collect


@pytest.fixture
def snapshot(_snapshot_session):
    session = _snapshot_session
    session.transform = TRANSFORMERS.TransformerUtility
    session.add_transformer(RegexTransformer(ACCOUNT, "111111111111"), priority=2)
    session.add_transformer(RegexTransformer(REGION, "<region>"), priority=2)
    session.add_transformer(RegexTransformer("arn:aws:", "arn:<partition>:"), priority=2)
    session.add_transformer(TRANSFORMERS.SNAPSHOT_BASIC_TRANSFORMER, priority=2)
    return session


def pytest_collection_modifyitems(items):
    for item in items:
        if re.search(r"\[(.*-)?sqs_query(-.*)?\]", item.nodeid):
            item.add_marker(pytest.mark.skip("the older query protocol: no client of Sluice speaks it"))
        elif any("only_localstack" in mark.name for mark in item.iter_markers()):
            item.add_marker(pytest.mark.skip("asserts what only LocalStack does"))


def pytest_configure(config):
    config.pluginmanager.register(Record(os.environ["SQS_SUITE_RECORD"]))


def pytest_unconfigure():
    time.sleep = real_sleep
    under_test.close()
