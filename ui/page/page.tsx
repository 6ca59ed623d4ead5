import { render } from "preact";
import { FailuresPage } from "./failures/failures-page.tsx";
import { ConfirmDialog } from "./parts/confirm.tsx";
import { message } from "./parts/message.ts";
import { visible } from "./parts/text.ts";
import { RunPage } from "./runs/run-page.tsx";
import { RunsPage } from "./runs/runs-page.tsx";
import { failuresLink, route } from "./state/route.ts";
import { connection, keepConnected, overview } from "./state/server-connection.ts";
import { THEMES, type Theme, theme } from "./state/theme.ts";
import "uplot/dist/uPlot.min.css";
import "./page.css";

const CONNECTION: Readonly<Record<string, string>> = {
  connecting: "Connecting…",
  lost: "The connection to the server is lost. This page shows what was known last, and connects again by itself.",
  unknown: "Another server answers, which does not know this page. Open the URL that npx sluice ui printed.",
};

function Page() {
  const now = route.value;
  const known = overview.value;
  const state = connection.value;
  return (
    <>
      <button type="button" class="skip" onClick={() => document.querySelector("main")?.focus()}>
        Skip to the content
      </button>
      <header>
        <a class="brand" href="#/">
          Sluice
        </a>
        <span class="muted place">{known?.place}</span>
        <nav aria-label="Pages">
          <a href="#/" aria-current={now.page === "runs" ? "page" : undefined}>
            Runs
          </a>
          {known?.workflows.map(({ workflow, deadLetters }) => (
            <a
              key={workflow}
              href={failuresLink(workflow)}
              aria-current={now.page === "failures" && now.workflow === workflow ? "page" : undefined}
            >
              Failures of {workflow}
              {deadLetters !== null && deadLetters > 0 && <span class="badge">{deadLetters.toLocaleString("en")}</span>}
            </a>
          ))}
        </nav>
        <label class="theme">
          <span class="hidden">Colours</span>
          <select value={theme.value} onChange={({ currentTarget }) => (theme.value = currentTarget.value as Theme)}>
            {THEMES.map((each) => (
              <option key={each} value={each}>
                {each === "system" ? "System colours" : each === "light" ? "Light" : "Dark"}
              </option>
            ))}
          </select>
        </label>
      </header>
      <div role="status" aria-live="polite">
        {state !== "open" && <p class={`note banner ${state === "connecting" ? "" : "bad"}`}>{CONNECTION[state]}</p>}
        {known?.problem != null && <p class="note banner bad">{visible(known.problem)}</p>}
        {message.value !== undefined && (
          <p class={`note banner ${message.value.tone}`}>
            {visible(message.value.text)}{" "}
            <button type="button" class="quiet" onClick={() => (message.value = undefined)}>
              Close
            </button>
          </p>
        )}
      </div>
      <main id="main" tabIndex={-1}>
        {known === undefined ? (
          <p class="empty">Connecting…</p>
        ) : now.page === "run" ? (
          <RunPage key={now.run} overview={known} workflow={now.workflow} id={now.run} />
        ) : now.page === "failures" ? (
          <FailuresPage key={now.workflow} overview={known} workflow={now.workflow} />
        ) : (
          <RunsPage overview={known} />
        )}
      </main>
      <ConfirmDialog />
    </>
  );
}

// A slash jumps to the filter, as in many lists.
addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.querySelector<HTMLElement>("[data-shortcut='/']");
  if (field === null) return;
  event.preventDefault();
  field.focus();
});

keepConnected();
const place = document.getElementById("page");
if (place !== null) render(<Page />, place);
