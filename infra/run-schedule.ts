import { Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { CfnSchedule, CfnScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { Schedule } from "../shared/definition/schedule.ts";
import { startEntry } from "../shared/messages/control.ts";

/**
 * EventBridge Scheduler replaces it by the time for which it fires, such as 2026-11-22T08:00:00Z: the same however often
 * it delivers, so that a run is started once.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
 */
const SCHEDULED_TIME = "<aws.scheduler.scheduled-time>";

export interface RunScheduleProps {
  readonly workflow: string;
  readonly schedule: Schedule;
  readonly controlQueue: IQueue;
  readonly encryptionKey: IKey | undefined;
}

/** Starts runs by the clock: EventBridge Scheduler sends the start message itself, with no function between. */
export class RunSchedule extends Construct {
  /** Of this schedule alone, so that its metrics tell of no other. */
  readonly group: CfnScheduleGroup;

  constructor(scope: Construct, id: string, { workflow, schedule, controlQueue, encryptionKey }: RunScheduleProps) {
    super(scope, id);
    this.group = new CfnScheduleGroup(this, "Group");
    const { account } = Stack.of(this);
    const role = new Role(this, "Role", {
      description: `Lets the schedule of the workflow ${workflow} start runs`,
      // https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": account, "aws:SourceArn": this.group.attrArn } },
      }),
    });
    role.addToPolicy(new PolicyStatement({ actions: ["sqs:SendMessage"], resources: [controlQueue.queueArn] }));
    if (encryptionKey !== undefined) {
      role.addToPolicy(
        new PolicyStatement({ actions: ["kms:GenerateDataKey", "kms:Decrypt"], resources: [encryptionKey.keyArn] }),
      );
    }
    const { expression, timeZone, flexibleWindowMinutes, enabled } = schedule;
    const start = startEntry({
      workflow,
      run: `scheduled-${SCHEDULED_TIME}`,
      requestedAt: SCHEDULED_TIME,
      scheduled: true,
    });
    const cfnSchedule = new CfnSchedule(this, "Schedule", {
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
        roleArn: role.roleArn,
        input: start.body,
        sqsParameters: { messageGroupId: start.group },
      },
    });
    // It may fire at once.
    cfnSchedule.node.addDependency(role);
  }
}
