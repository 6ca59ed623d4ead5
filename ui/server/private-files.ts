import { randomBytes } from "node:crypto";
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The directory of the dashboard in `.sluice/`: `.sluice/.dashboard`. No workflow's name begins with a dot. Only the user may
 * read it, because it has the cookie's secret and items.
 */
export class PrivateFiles {
  readonly path: string;

  constructor(stateRoot: string) {
    this.path = join(stateRoot, ".dashboard");
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    chmodSync(this.path, 0o700);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /**
   * The port and the secret of the cookie. They stay the same after a restart, so a page that is open finds the server again.
   */
  session(): { readonly port: number | undefined; readonly secret: string } {
    try {
      const { port, secret } = JSON.parse(readFileSync(this.file("session.json"), "utf8")) as Record<string, unknown>;
      if (typeof secret === "string" && /^[\w-]{43}$/.test(secret)) {
        return { port: typeof port === "number" ? port : undefined, secret };
      }
    } catch {
      // There is no session yet, or the file is damaged.
    }
    return { port: undefined, secret: randomBytes(32).toString("base64url") };
  }

  keepSession(session: { readonly port: number; readonly secret: string }): void {
    writeFileSync(this.file("session.json"), `${JSON.stringify(session)}\n`, { mode: 0o600 });
  }

  /**
   * Appends a change to the audit log, before it is made and after it has ended. The directory is made again if it was deleted.
   *
   * @throws {Error} The log cannot be written, for example because the disk is full.
   */
  audit(entry: Readonly<Record<string, unknown>>): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    const line = JSON.stringify({ at: new Date().toISOString(), ...entry });
    appendFileSync(this.file("audit.jsonl"), `${line}\n`, { mode: 0o600 });
  }
}
