import { diffLines } from "diff";
import { visible } from "../parts/text.ts";

/** Larger texts take too long to compare while the user types. */
const LONGEST_DIFF = 50_000;

/** What an edit changes, line by line. */
export function Diff({ before, after }: { readonly before: string; readonly after: string }) {
  if (before === after) return <p class="muted">Nothing is changed.</p>;
  if (before.length + after.length > LONGEST_DIFF)
    return <p class="muted">The item is too large to show what changed.</p>;
  const parts = diffLines(`${before}\n`, `${after}\n`);
  return (
    <pre class="diff">
      {parts.flatMap(({ value, added, removed }, part) =>
        value
          .replace(/\n$/, "")
          .split("\n")
          .map((line, index) =>
            added ? (
              <ins key={`${part} ${index}`}>+ {visible(line)}</ins>
            ) : removed ? (
              <del key={`${part} ${index}`}>- {visible(line)}</del>
            ) : (
              <span key={`${part} ${index}`}>{`  ${visible(line)}`}</span>
            ),
          ),
      )}
    </pre>
  );
}
