import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LimitedService, servedCounts } from "./limited-service.ts";
import { endWithThisProcess, freePort, stopped, until } from "./private-server.ts";

/** What this machine lacks for nginx. */
export const needsNginx = (): string | undefined =>
  spawnSync("nginx", ["-v"]).error === undefined ? undefined : "not installed: nginx";

/**
 * nginx with `limit_req`: requests within the burst are delayed, and others get status 429.
 * https://nginx.org/en/docs/http/ngx_http_limit_req_module.html
 *
 * @param directory For its configuration and its log.
 */
export async function startNginx(
  directory: string,
  { perSecond, burst }: { readonly perSecond: number; readonly burst: number },
): Promise<LimitedService> {
  const port = await freePort();
  const root = join(directory, "nginx");
  mkdirSync(root);
  const log = join(root, "access.log");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${root}/${name};`,
  );
  const file = join(root, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${root}/nginx.pid; error_log /dev/null;
events {}
http {
  ${temporary.join(" ")}
  log_format statuses '$msec $status';
  access_log ${log} statuses;
  keepalive_requests 1000000;
  limit_req_zone $binary_remote_addr zone=all:1m rate=${perSecond}r/s;
  limit_req_status 429;
  server {
    listen 127.0.0.1:${port};
    location / { limit_req zone=all burst=${burst}; try_files /none @served; }
    location @served { return 200 served; }
    location = /ready { access_log off; return 200; }
  }
}
`,
  );
  const server = spawn("nginx", ["-c", file, "-p", root], { stdio: "ignore" });
  endWithThisProcess(() => server.kill());
  await until(() => spawnSync("curl", ["-sf", `http://127.0.0.1:${port}/ready`]).status === 0);
  return {
    url: `http://127.0.0.1:${port}`,
    async end() {
      await stopped(server, () => server.kill("SIGQUIT"));
      const lines = readFileSync(log, "utf8").trimEnd().split("\n");
      const responses = lines
        .map((line) => line.split(" "))
        .filter(([, status]) => status === "200" || status === "429");
      return servedCounts(responses.map(([at, status]) => ({ at: Number(at), isRefused: status === "429" })));
    },
  };
}
