import { readFileSync } from "node:fs";

const CODE = /\.[cm]?[jt]sx?$/;

/**
 * Finds variables that the workflow's code reads on this machine, and that its functions would lack when they are deployed.
 *
 * @param names The variables that `.env` sets.
 * @param deployed The names in the options `environment` and `secrets` of the workflow.
 * @param files The user's files of the workflow. A file that cannot be read counts as empty.
 */
export function undeployedVariables(
  names: readonly string[],
  deployed: readonly string[],
  files: readonly string[],
): readonly string[] {
  const missing = names.filter((name) => !deployed.includes(name));
  if (missing.length === 0) return [];
  const texts = files.filter((file) => CODE.test(file)).map(textOf);
  return missing.filter((name) => texts.some((text) => readsVariable(text, name)));
}

/** Whether a text reads a variable: `process.env.NAME`, `process.env["NAME"]` or `{ NAME } = process.env`. */
function readsVariable(text: string, name: string): boolean {
  const direct = new RegExp(`\\bprocess\\.env(?:\\?\\.|\\.|(?:\\?\\.)?\\[\\s*["'\`])${name}\\b`);
  const taken = new RegExp(`\\{[^{}]*\\b${name}\\b[^{}]*\\}\\s*=\\s*process\\.env\\b`);
  return direct.test(text) || taken.test(text);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
