import type { Workflow } from "../shared/definition/workflow.ts";

/** The workflow of a bundle, as the functions import it: the bundler puts the user's file in its place. */
declare const workflow: Workflow;
export default workflow;
