import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { bundlePage } from "../../../ui/server/bundle-page.ts";

const MOST_BYTES = 150_000;

test("the page has at most 150 KB, compressed, and nothing of Node", async () => {
  const { script, style } = await bundlePage();
  expect(style).toContain(".bar");
  expect(gzipSync(script).length + gzipSync(style).length).toBeLessThan(MOST_BYTES);
  expect(script).not.toMatch(/from"node:|require\("node:/);
});
