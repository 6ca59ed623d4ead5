"""Starts ministack with what it lacks of AWS, in four places, and nothing else changed.

- It authorises every request under AUTH=true, and sees that none comes over TLS, which the queues and the CDK's bucket
  refuse. On the loopback interface there is no TLS to be had without a certificate: it is told that there is.
- It asks for rights such as sqs:SendMessageBatch, which IAM does not know: a batch takes the right of its single action.
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
- Its EventBridge Scheduler leaves the context attributes in a target's input as they are.
  https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
- Its CloudFormation refuses alarms on metric math. It never evaluates an alarm that nobody feeds: here it is given the
  first of the metrics, to have something to create and to delete.

It ends when the process that started it ends: its standard input is a pipe from that process, which then closes.
"""

import datetime
import os
import shutil
import signal
import sys
import tempfile
import threading

from ministack.core import iam_actions, iam_evaluator
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

origin_of = iam_evaluator.pin_request_origin
iam_evaluator.pin_request_origin = lambda source_ip, _: origin_of(source_ip, True)

iam_action_of = iam_actions.extract_iam_action


def iam_action_of_batch(*request, **more):
    action = iam_action_of(*request, **more)
    return action.removesuffix("Batch") if action and action.startswith("sqs:") else action


iam_actions.extract_iam_action = iam_action_of_batch

dispatch_to_sqs = eventbridge._dispatch_to_sqs


def dispatch_with_scheduled_time(spec, payload, *rest):
    # It fires on a beat of ten seconds: the minute is the one for which it fires.
    minute = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:00Z")
    return dispatch_to_sqs(spec, payload.replace("<aws.scheduler.scheduled-time>", minute), *rest)


eventbridge._dispatch_to_sqs = dispatch_with_scheduled_time

alarm_record = provisioners._cw_metric_alarm_record


def alarm_record_of_math(name, props):
    first = next((entry["MetricStat"]["Metric"] for entry in props.get("Metrics", []) if "MetricStat" in entry), {})
    return alarm_record(name, {**{key: value for key, value in props.items() if key != "Metrics"}, **first})


provisioners._cw_metric_alarm_record = alarm_record_of_math


def end_with_starter():
    sys.stdin.buffer.read()
    shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
    # With the functions' processes, and itself.
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_starter, daemon=True).start()

# Last, because it binds the names above as it is loaded.
from ministack.app import main  # noqa: E402

main()
