import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const SOURCES = globSync("{shared,functions,infra,local,cli,ui,bin}/**/*.{ts,tsx,js}");

/** Each `new …Client(…)` of the AWS SDK in our code, with its arguments. */
function clientsOf(file: string): readonly string[] {
  const code = readFileSync(file, "utf8").replaceAll(/^\s*(\/?\*|\/\/).*$/gm, "");
  const names = [...code.matchAll(/import \{([^}]*)\} from "@aws-sdk\/client-[^"]+"/g)]
    .flatMap(([, list = ""]) => list.split(","))
    .map((name) => name.trim())
    .filter((name) => /^\w+Client$/.test(name));
  return names.flatMap((name) =>
    [...code.matchAll(new RegExp(`new ${name}\\(([\\s\\S]*?)\\);`, "g"))].map(([call]) => call),
  );
}

test("every AWS client has the common timeouts", () => {
  const clients = SOURCES.flatMap((file) => clientsOf(file).map((call) => ({ file, call })));

  expect(clients.length).toBeGreaterThanOrEqual(8);
  expect(clients.filter(({ call }) => !/\b(clientConfig|configOf)\(/.test(call))).toEqual([]);
});
