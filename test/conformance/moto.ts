/**
 * Runs the tests that moto has for its own SQS against Sluice's SQS: `node test/conformance/moto.ts <source> [python]`.
 */
import { runSuite } from "./suite.ts";

const INTERNAL = "tests moto's own classes";
const ACCOUNTS_AND_REGIONS = "the embedded engine has one account and one region";
const SPACE = "sets the attribute 'VisibilityTimeout ', with a space at the end, which AWS does not know";
const POLICY = "queue policies are stored and not enforced, and AddPermission and RemovePermission are not offered";
const TEXT = "wants another text of the error than LocalStack's tests record on AWS";

process.exitCode = await runSuite(
  {
    name: "moto",
    installation: `Moto's tests are in its source distribution:

  python3 -m venv venv && venv/bin/pip install "moto[sqs]" boto3 pytest freezegun
  venv/bin/pip download --no-binary moto --no-deps moto && tar xzf moto-*.tar.gz
  node test/conformance/moto.ts moto-<version> venv/bin/python`,
    // Not run: test_server.py (moto's HTTP server), test_sqs_integration.py (with other services), and
    // test_sqs_cloudformation.py.
    files: [
      "tests/test_sqs/test_sqs.py",
      "tests/test_sqs/test_sqs_message_attributes.py",
      "tests/test_sqs/test_sqs_multiaccount.py",
      "tests/test_sqs/test_sqs_authentication.py",
    ],
    pytest: ["-p", "moto_plugin"],
    leftOut: {
      test_access_for_specific_arn_to_all_sqs_actions: POLICY,
      test_add_permission_errors: POLICY,
      test_permissions: POLICY,
      test_remove_permission_errors: POLICY,
      test_change_message_visibility: SPACE,
      test_delete_batch_operation: SPACE,
      test_delete_message_after_visibility_timeout: SPACE,
      test_message_becomes_inflight_when_received: SPACE,
      test_queue_length: SPACE,
      test_receive_message_with_explicit_visibility_timeout: SPACE,
      test_change_message_visibility_on_unknown_receipt_handle: TEXT,
      test_delete_message_errors: TEXT,
      test_create_fifo_queue_with_dlq:
        "creates a queue with FifoQueue false, which LocalStack's tests record as an error",
      test_create_queue_with_different_attributes_fail: "creates a queue with FifoQueue 'tru'",
      test_create_queues_in_multiple_region: ACCOUNTS_AND_REGIONS,
      test_get_queue_with_prefix: ACCOUNTS_AND_REGIONS,
      test_list_queues_in_different_account: ACCOUNTS_AND_REGIONS,
      test_delete_message_using_old_receipt_handle:
        "deletes with the handle of an earlier receive: AWS's page says that this might not delete, so nothing may rely on it",
      test_fifo_queue_send_duplicate_messages_after_deduplication_time_limit: "shortens the five minutes inside moto",
      test_message_delay_is_more_than_15_minutes: "sends a deduplication id to a standard queue, which AWS refuses",
      test_message_retention_period: "sets a retention of 1 s, below AWS's minimum of 60 s",
      test_message_with_invalid_attributes: "refuses a name with 'ö', which LocalStack's tests record as accepted",
      test_purge_queue_twice_allowed_when_strict_behaviour_disabled: "turns a check of moto off",
      test_send_messages_to_fifo_without_message_group_id:
        "wants MissingParameter, where LocalStack's tests record InvalidParameterValue",
      test_set_attributes_integer_fields_conversion: INTERNAL,
    },
  },
  process.argv.slice(2),
);
