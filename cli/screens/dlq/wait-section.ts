import { formatDuration } from "../../../shared/base/duration.ts";
import { lastWait } from "../../../shared/base/waits.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { columns } from "../columns.ts";
import { count, style } from "../format.ts";
import { oneLine } from "../printable.ts";
import { errorText } from "./dead-letter-text.ts";

/** The waits that the task asked for: how many of each kind, the first and the last. */
export function waitSection({ waits, reason }: DeadLetter, width: number): readonly string[] {
  if (waits === undefined) return [];
  const { throttled, retryLater, milliseconds } = waits;
  const refused = reason === "waited too long" ? lastWait(waits) : undefined;
  const kinds = [
    ["throttled", throttled],
    ["retry later", retryLater],
  ] as const;
  const rows = kinds.flatMap(([name, ofKind]) =>
    ofKind === undefined
      ? []
      : [
          [
            name,
            count(ofKind.count),
            oneLine(ofKind.first.at),
            oneLine(ofKind.last.at),
            formatDuration(ofKind.last.milliseconds),
            errorText(ofKind.last),
          ],
        ],
  );
  const lines = columns(
    [
      { header: "WAIT" },
      { header: "COUNT", align: "right" },
      { header: "FIRST" },
      { header: "LAST" },
      { header: "LASTS", align: "right" },
      { header: "ERROR", grow: 1, lines: 3 },
    ],
    rows,
    { width, indent: "  ", heading: (text) => style("dim", text) },
  );
  const beyond = refused === undefined ? "" : `, and another ${formatDuration(refused.milliseconds)} was too long`;
  return [`${style("bold", `Waits (${formatDuration(milliseconds)} in all${beyond})`)}\n${lines}`];
}
