import { effect, signal } from "@preact/signals";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "sluice-theme";
const stored = localStorage.getItem(KEY);

export const theme = signal<Theme>(THEMES.find((each) => each === stored) ?? "system");
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
/** Grows when the colours change. Charts are then drawn again. */
export const colours = signal(0);

effect(() => {
  localStorage.setItem(KEY, theme.value);
  document.documentElement.dataset.theme = theme.value;
  colours.value = colours.peek() + 1;
});
systemIsDark.addEventListener("change", () => {
  colours.value = colours.peek() + 1;
});
