import type { Workflow } from "../shared/definition/workflow.ts";

/** The workflow of a bundle, which the functions import as `#workflow`. The bundler replaces it by the user's file. */
declare const workflow: Workflow;
export default workflow;
