// Light or dark: the system's, until the user chooses.
const root = document.documentElement;

export function applyTheme() {
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  for (const each of document.querySelectorAll('[data-action="theme"]')) each.textContent = dark ? "☀" : "☾";
}

export function switchTheme() {
  const kept = localStorage.getItem("theme");
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("theme", dark ? "light" : "dark");
  applyTheme();
}
