import { App } from "aws-cdk-lib";
import { addWorkflowStacks } from "./stacks.ts";

await addWorkflowStacks(new App());
