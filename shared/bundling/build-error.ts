import { isBuiltin } from "node:module";
import { dirname, resolve } from "node:path";
import type { BuildFailure, Message } from "esbuild";
import { ConfigurationError } from "../base/errors.ts";
import { installCommand } from "./package-manager.ts";

/** Whether a thrown value is an error of a build of esbuild. */
export const isBuildFailure = (thrown: unknown): thrown is BuildFailure =>
  thrown instanceof Error && "errors" in thrown;

/**
 * Turns a failed build of esbuild into a `ConfigurationError`. Its message contains each message of esbuild, with the file,
 * the line, a code frame and how to fix it.
 *
 * @returns The thrown value itself, if it is no error of a build.
 */
export async function buildError(file: string, thrown: unknown): Promise<unknown> {
  if (!isBuildFailure(thrown)) return thrown;
  const { formatMessages } = await import("esbuild");
  const messages = await formatMessages(
    thrown.errors.map((error) => withFix(error, dirname(file))),
    { kind: "error" },
  );
  return new ConfigurationError(`${file} cannot be bundled:\n${messages.join("\n").trimEnd()}`, { cause: thrown });
}

function withFix(message: Message, directory: string): Message {
  const text = fixOf(message, directory);
  if (text === undefined) return message;
  return { ...message, notes: [{ text, location: null }] };
}

function fixOf({ text, location }: Message, directory: string): string | undefined {
  const unresolved = /^Could not resolve "(?<specifier>[^"]+)"/.exec(text)?.groups?.specifier;
  if (unresolved !== undefined) {
    const name = packageOf(unresolved);
    if (name === undefined) return undefined;
    const from = location === null ? directory : dirname(resolve(process.cwd(), location.file));
    return `The package "${name}" is not installed. Install it with: ${installCommand(from, name)}`;
  }
  if (/No loader is configured for "\.node" files/.test(text)) {
    return 'A bundle cannot contain native code. Name its package in the workflow, such as: bundling: { external: ["sharp"] }';
  }
  const extension = /^No loader is configured for "(?<extension>[^"]+)" files/.exec(text)?.groups?.extension;
  if (extension !== undefined) {
    return `Say what such a file becomes in the workflow, such as: bundling: { loader: { "${extension}": "text" } }`;
  }
  return undefined;
}

/** The package that an import names; `undefined` if it names a file, an alias or a module of Node. */
function packageOf(specifier: string): string | undefined {
  if (isBuiltin(specifier)) return undefined;
  return /^(?<name>@[a-z0-9-~][\w.-]*\/[a-z0-9-~][\w.-]*|[a-z0-9-~][\w.-]*)(\/|$)/.exec(specifier)?.groups?.name;
}
