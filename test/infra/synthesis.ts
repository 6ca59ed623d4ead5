import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { FanOut, type FanOutProps } from "../../infra/fan-out.ts";
import { defineWorkflow, type WorkflowOptions } from "../../shared/index.ts";
import { workflowOptions } from "../helpers/workflow-options.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const workflowFile = fileURLToPath(new URL("../../workflows/seconds.ts", import.meta.url));

/** The context of the real app; `bundle` says whether the functions' code is made, which takes a second each. */
export function newApp({ bundle = false, outdir }: { bundle?: boolean; outdir?: string } = {}): App {
  const { context } = JSON.parse(readFileSync(new URL("../../cdk.json", import.meta.url), "utf8"));
  return new App({
    stackTraces: false,
    treeMetadata: false,
    context: { ...context, ...(!bundle && { "aws:cdk:bundling-stacks": [] }) },
    ...(outdir !== undefined && { outdir }),
  });
}

export type StackProps = Partial<FanOutProps> & { readonly options?: Partial<WorkflowOptions> };

/** A stack with one workflow, and what `props` wants different. */
export function fanOutIn(stack: Stack, { options = {}, ...props }: StackProps = {}, id = "FanOut"): FanOut {
  const workflow = defineWorkflow(workflowOptions(options));
  return new FanOut(stack, id, { workflow, workflowFile, ...props });
}

export interface Synthesised {
  readonly template: Template;
  readonly stack: Stack;
  readonly fanOut: FanOut;
}

export function synthesise(props: StackProps | ((stack: Stack) => StackProps) = {}): Synthesised {
  const stack = new Stack(newApp(), "Stack");
  const fanOut = fanOutIn(stack, typeof props === "function" ? props(stack) : props);
  return { stack, fanOut, template: Template.fromStack(stack) };
}

export interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

const listOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

export const actionsOf = (statement: Statement): readonly string[] => listOf(statement.Action);
export const resourcesOf = (statement: Statement): readonly unknown[] => listOf(statement.Resource);

/** What the role of a construct (by the start of its logical id) is allowed, one line an action and a resource. */
export function rightsOfRole(template: Template, role: string): readonly string[] {
  const policies = Object.values(template.findResources("AWS::IAM::Policy"));
  return policies
    .filter(({ Properties }) => Properties.Roles.some(({ Ref }: { Ref: string }) => Ref.startsWith(role)))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
    .flatMap((statement) =>
      actionsOf(statement).flatMap((action) =>
        resourcesOf(statement).map((resource) => `${action} ${nameOf(resource)}`),
      ),
    )
    .sort();
}

/** The construct that a resource of a policy stands for: `Queue`, `Ledger`, ... */
function nameOf(resource: unknown): string {
  if (typeof resource === "string") return resource;
  const { "Fn::GetAtt": attribute, "Fn::Join": joined } = resource as Record<string, [string, unknown[]] | undefined>;
  if (joined !== undefined) return String(joined[1].at(-1)).replace(/^:/, "");
  const [id = ""] = attribute ?? [];
  return id.replace(/^FanOut(Queues)?/, "").replace(/[0-9A-F]{8}$/, "");
}
