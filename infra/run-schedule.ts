import { type RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { CfnSchedule, CfnScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import type { IQueue, Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { Schedule } from "../shared/definition/schedule.ts";
import type { Topology } from "../shared/definition/topology.ts";
import { startEntry } from "../shared/messages/control.ts";
import { deadLetterQueue } from "./dead-letter-queue.ts";

/**
 * EventBridge Scheduler replaces this text with the scheduled time, such as 2026-11-22T08:00:00Z. If the scheduler
 * delivers a message twice, both messages have the same time. So each scheduled time starts one run.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
 */
const SCHEDULED_TIME = "<aws.scheduler.scheduled-time>";

export interface RunScheduleProps {
  readonly workflow: string;
  readonly schedule: Schedule;
  readonly controlQueue: IQueue;
  readonly topology: Topology;
  /** The key of the control queue. */
  readonly controlQueueKey: IKey | undefined;
  /** The key of the schedule's dead-letter queue. */
  readonly encryptionKey: IKey | undefined;
  /** What happens to the schedule's dead-letter queue when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;
}

/**
 * Starts runs at scheduled times. EventBridge Scheduler sends the start message to the control queue, without a
 * function.
 */
export class RunSchedule extends Construct {
  /** The schedule group. It contains only this schedule, because AWS publishes metrics for groups and not for schedules. */
  readonly group: CfnScheduleGroup;
  /**
   * Receives the start messages that could not be sent to the control queue. It is a standard queue, because EventBridge
   * Scheduler supports no FIFO queue here. So it cannot be the dead-letter queue of the control queue.
   * https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
   */
  readonly deadLetterQueue: Queue;
  readonly role: Role;
  readonly schedule: CfnSchedule;

  constructor(scope: Construct, id: string, props: RunScheduleProps) {
    super(scope, id);
    const { workflow, schedule, controlQueue, controlQueueKey, encryptionKey } = props;
    this.deadLetterQueue = deadLetterQueue(this, "DeadLetterQueue", props);
    // cdk-nag recognises dead-letter queues of queues only.
    Validations.of(this.deadLetterQueue).acknowledge({
      id: "AwsSolutions-SQS3",
      reason: "The queue is the dead-letter queue of a schedule.",
    });
    this.group = new CfnScheduleGroup(this, "Group");
    const { account } = Stack.of(this);
    this.role = new Role(this, "Role", {
      description: `Lets the schedule of the workflow ${workflow} start runs`,
      // https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": account, "aws:SourceArn": this.group.attrArn } },
      }),
    });
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["sqs:SendMessage"],
        resources: [controlQueue.queueArn, this.deadLetterQueue.queueArn],
      }),
    );
    for (const key of new Set([controlQueueKey, encryptionKey])) {
      if (key === undefined) continue;
      this.role.addToPolicy(
        new PolicyStatement({ actions: ["kms:GenerateDataKey", "kms:Decrypt"], resources: [key.keyArn] }),
      );
    }
    const { expression, timeZone, flexibleWindowMinutes, enabled } = schedule;
    const start = startEntry({
      workflow,
      run: `scheduled-${SCHEDULED_TIME}`,
      requestedAt: SCHEDULED_TIME,
      scheduled: true,
    });
    this.schedule = new CfnSchedule(this, "Schedule", {
      description: `Starts runs of the workflow ${workflow}`,
      groupName: this.group.ref,
      scheduleExpression: expression,
      ...(timeZone !== undefined && { scheduleExpressionTimezone: timeZone }),
      flexibleTimeWindow:
        flexibleWindowMinutes === undefined
          ? { mode: "OFF" }
          : { mode: "FLEXIBLE", maximumWindowInMinutes: flexibleWindowMinutes },
      state: enabled ? "ENABLED" : "DISABLED",
      target: {
        arn: controlQueue.queueArn,
        roleArn: this.role.roleArn,
        input: start.body,
        sqsParameters: { messageGroupId: start.group },
        deadLetterConfig: { arn: this.deadLetterQueue.queueArn },
      },
    });
    // The schedule can send a message as soon as it exists, so the role must exist first.
    this.schedule.node.addDependency(this.role);
  }
}
