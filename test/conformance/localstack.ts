/**
 * Runs LocalStack's tests of SQS, with the answers that LocalStack recorded on AWS, against Sluice's SQS:
 * `node test/conformance/localstack.ts <source> [python]`.
 */
import { runSuite } from "./suite.ts";

const REGIONS = "the embedded engine has one account and one region";
const QUERY = "speaks the older query protocol, which no client of Sluice speaks";

process.exitCode = await runSuite(
  {
    name: "LocalStack",
    installation: `LocalStack's tests are in its repository, and not in a package:

  git clone --depth 1 https://github.com/localstack/localstack
  python3 -m venv venv && venv/bin/pip install localstack-snapshot boto3 pytest requests
  node test/conformance/localstack.ts localstack venv/bin/python`,
    files: ["tests/aws/services/sqs/test_sqs.py", "tests/aws/services/sqs/test_sqs_move_task.py"],
    // The tests of the class TestSqsQueryApi speak the older query protocol, as do the tests with "sqs_query" in brackets.
    pytest: [
      "--noconftest",
      ...["-p", "localstack_snapshot.pytest.snapshot", "-p", "localstack_plugin"],
      ...["-k", "not TestSqsQueryApi"],
    ],
    leftOut: {
      test_fifo_change_to_high_throughput_after_creation:
        "AWS applies a changed attribute up to 60 s later, and the embedded engine at once",
      test_get_list_queues_with_query_auth: QUERY,
      test_get_queue_url_multi_region: REGIONS,
      test_list_queues_multi_region_with_endpoint_strategy_domain: REGIONS,
      test_list_queues_multi_region_with_endpoint_strategy_standard: REGIONS,
      test_inflight_message_requeue: "wants an order of a standard queue, and AWS promises none",
      test_list_queues_pagination: "compares the URLs and the tokens of LocalStack",
      test_marker_serialization_json_protocol: QUERY,
      test_non_existent_queue: QUERY,
      test_sqs_permission_lifecycle: "queue policies are stored and not enforced, and AddPermission is not offered",
    },
  },
  process.argv.slice(2),
);
