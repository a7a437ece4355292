// The ways to sign in that the site has, and what came of one.
import * as api from "./api.js";
import { write } from "./words.js";

const at = (id) => document.getElementById(id);
const form = at("sign-in-form");
// What the app tells a browser that comes back from the identity provider -> what the page says.
const OUTCOMES = new Map(Object.entries({
  cancelled: "cancelled", expired: "unfinished", refused: "refused", unavailable: "unavailable",
}));

export async function offer() {
  const ways = await api.ways();
  for (const id of ["by-password", "sign-in-button"]) at(id).hidden = !ways.password;
  at("by-password").disabled = !ways.password;
  at("by-provider").hidden = !ways.provider;
  // Only now: a card without its ways would be seen growing.
  at("sign-in").hidden = !at("app").hidden;
  (ways.password ? form.user : at("by-provider")).focus();
}

export function tell(word) {
  write(at("sign-in-error"), word);
}

// Says what the address tells, and takes it out of the address.
export function tellOutcome() {
  const outcome = new URLSearchParams(location.search).get("sign-in");
  if (outcome === null) return;
  history.replaceState(null, "", location.pathname);
  tell(OUTCOMES.get(outcome) ?? "notSignedIn");
}

export function onSignIn(begin) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    tell("");
    try {
      await api.signIn(form.user.value, form.password.value);
      form.reset();
      await begin();
    } catch (error) {
      const word = { 401: "wrongPassword", 429: "tooManyTries" }[error.status];
      const reason = api.reason(error);
      tell(word ?? (reason ? "" : "offline"));
      if (!word && reason) at("sign-in-error").textContent = reason;
    }
  });
}
