import { ConfigurationError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";

/**
 * Permissions in AWS that the code of a workflow needs. Sluice adds the permissions that it needs itself.
 *
 * @example
 * ```ts
 * permissions: [{ actions: ["s3:GetObject"], resources: ["arn:aws:s3:::invoices/*"] }]
 * ```
 */
export interface Permission {
  /** The full names of the actions, `service:Action`. Wildcards are refused, because they grant more than is needed. */
  readonly actions: readonly string[];
  /**
   * The ARNs of the resources. They can contain wildcards. `"*"` alone needs a `reason`: some actions accept no ARN.
   */
  readonly resources: readonly string[];
  /**
   * The function that gets the permission. The `consumer` runs the task. The `producer` reads the source and calls
   * `onComplete`. Default `consumer`.
   */
  readonly function?: "consumer" | "producer";
  /** Why a resource needs a wildcard. Required if a resource is `"*"`. */
  readonly reason?: string;
}

/** A validated permission. */
export type ParsedPermission = Required<Omit<Permission, "reason">> & { readonly reason: string | undefined };

const KEYS = ["actions", "resources", "function", "reason"] as const satisfies (keyof Permission)[];

/**
 * Validates the permissions of a workflow.
 *
 * @throws {ConfigurationError} A permission is malformed, an action has a wildcard, a resource is not an ARN, or `"*"`
 *   has no reason.
 */
export function parsePermissions(option: readonly Permission[]): readonly ParsedPermission[] {
  if (!Array.isArray(option)) {
    throw new ConfigurationError(
      `permissions must be a list, but is ${show(option)}: write [{ actions: ["s3:GetObject"], resources: ["arn:..."] }]`,
    );
  }
  return option.map((permission, position) => parsePermission(permission, `permissions[${position}]`));
}

function parsePermission(permission: Permission, where: string): ParsedPermission {
  rejectUnknownKeys(permission, KEYS, where);
  const { actions, resources, function: to = "consumer", reason } = permission;
  if (to !== "consumer" && to !== "producer") {
    throw new ConfigurationError(`${where}.function must be "consumer" or "producer", but is ${show(to)}`);
  }
  if (reason !== undefined && (typeof reason !== "string" || reason.trim() === "")) {
    throw new ConfigurationError(`${where}.reason must be a sentence, but is ${show(reason)}`);
  }
  for (const action of nonEmpty(actions, `${where}.actions`, '"s3:GetObject"')) checkAction(action, where);
  for (const resource of nonEmpty(resources, `${where}.resources`, '"arn:aws:s3:::bucket/*"')) {
    checkResource(resource, where, reason);
  }
  return { actions: [...actions], resources: [...resources], function: to, reason };
}

function nonEmpty(list: unknown, where: string, example: string): readonly unknown[] {
  if (Array.isArray(list) && list.length > 0) return list;
  throw new ConfigurationError(
    `${where} must be a list of at least one string, but is ${show(list)}: write [${example}]`,
  );
}

function checkAction(action: unknown, where: string): void {
  if (typeof action === "string" && /^[a-z0-9-]+:[A-Za-z0-9]+$/.test(action)) return;
  throw new ConfigurationError(
    `${where}.actions must name each action in full, but has ${show(action)}: write "s3:GetObject", without wildcards`,
  );
}

function checkResource(resource: unknown, where: string, reason: string | undefined): void {
  if (resource === "*") {
    if (reason !== undefined) return;
    throw new ConfigurationError(
      `${where}.resources contains "*", which grants the actions on all resources: give ARNs. If AWS accepts no ARN for ` +
        "the action, state that in reason",
    );
  }
  if (typeof resource === "string" && /^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+$/.test(resource)) return;
  throw new ConfigurationError(
    `${where}.resources must be ARNs, but has ${show(resource)}: write "arn:aws:s3:::bucket/*"`,
  );
}
