import { App } from "aws-cdk-lib";
import { addWorkflowStacks } from "sluice/infra";

await addWorkflowStacks(new App());
