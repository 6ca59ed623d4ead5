import { pathToFileURL } from "node:url";
import { ConfigurationError, toError } from "../base/errors.ts";
import { isWorkflow, type Workflow } from "./workflow.ts";

/**
 * Imports a file and returns the workflow that it exports.
 *
 * @throws {ConfigurationError} The file cannot be loaded, or its default export is not a workflow.
 */
export async function importWorkflow(file: string): Promise<Workflow> {
  let module: { default?: unknown };
  try {
    module = await import(pathToFileURL(file).href);
  } catch (thrown) {
    const cause = toError(thrown);
    if (cause instanceof ConfigurationError) throw new ConfigurationError(`${file}: ${cause.message}`, { cause });
    throw new ConfigurationError(`${file} cannot be loaded: ${cause.message}${hint(cause, file)}`, { cause });
  }
  if (isWorkflow(module.default)) return module.default;
  throw new ConfigurationError(`${file} does not define a workflow: write "export default defineWorkflow({ ... })"`);
}

/** Returns how to fix an error that Node's own message does not explain. */
function hint(thrown: unknown, file: string): string {
  const { code, message } = toError(thrown) as NodeJS.ErrnoException;
  // `npm init` writes "type": "commonjs", so Node does not load .ts and .js files as ES modules.
  if (thrown instanceof SyntaxError && /import statement outside a module|Unexpected token 'export'/.test(message)) {
    return '. The package.json of this file says "type": "commonjs": run npm pkg set type=module';
  }
  if (code === "ERR_UNKNOWN_FILE_EXTENSION" && file.endsWith(".ts")) {
    return `. Node ${process.versions.node} cannot run TypeScript: use Node 24, or run npm install --save-dev node@24`;
  }
  return "";
}
