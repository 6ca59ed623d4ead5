import { defineWorkflow, items } from "../../../shared/index.ts";

export default defineWorkflow({ name: "mistaken", source: items([1]), task: () => {}, concurrency: 1 });
