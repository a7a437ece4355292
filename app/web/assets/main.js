// Puts the page together: who is signed in, what is asked, which keys and buttons do what.
import * as api from "./api.js";
import * as messages from "./messages.js";
import * as signIn from "./sign-in.js";
import { listDocuments, listSessions, upload } from "./side.js";
import { applyTheme, switchTheme } from "./theme.js";
import { say, switchLanguage, translate } from "./words.js";

const at = (id) => document.getElementById(id);
let session = null;
let running = null;
// Whether an identity provider vouches for the user: it has a session of its own, which ends as well.
let provided = false;

function enter(signedIn) {
  at("sign-in").hidden = true;
  at("app").hidden = !signedIn;
  if (signedIn) at("message").focus();
  else signIn.offer();
}

async function begin() {
  // Who it is comes first: whoever leaves at once leaves the provider as well.
  const me = await api.ask("/api/auth/me");
  provided = me.provider;
  at("who").textContent = me.user.replace(/^oidc:/, "");
  enter(true);
  newChat();
  try {
    const [, count] = await Promise.all([listSessions(session, open), listDocuments()]);
    at("grounded").checked = count > 0;
  } catch {
    // They are asked for again after each answer and each upload.
  }
}

function newChat() {
  running?.abort();
  session = null;
  messages.welcome();
  menu(false);
  at("message").focus();
}

async function open(id) {
  running?.abort();
  const found = await api.ask(`/api/sessions/${id}`);
  session = id;
  messages.show(found.messages);
  menu(false);
  await listSessions(session, open);
}

async function ask(text) {
  const grounded = at("grounded").checked;
  messages.add("user", text);
  const answer = messages.add("assistant");
  answer.wait(true);
  busy(true);
  running = new AbortController();
  let sources = null;
  try {
    const body = grounded ? { question: text } : { message: text };
    if (session) body.session = session;
    const path = grounded ? "/api/rag/query" : "/api/chat";
    const got = await api.request(path, api.json(body, { signal: running.signal }));
    if (!got.ok) throw new api.ApiFailure(got.status, "", (await got.json()).error.message);
    for await (const [name, data] of api.events(got)) {
      if (name === "session") session = data.session;
      else if (name === "sources") sources = data.sources;
      else if (name === "token") answer.append(data.text);
      else if (name === "error") throw new api.ApiFailure(0, data.code, data.message);
      else if (name === "done" && data.finish_reason === "no_sources") answer.note("noSources");
    }
    answer.finish(sources);
  } catch (error) {
    answer.wait(false);
    if (error.name === "AbortError") answer.note("interrupted");
    else if (error.status !== 401) {
      const reason = api.reason(error) || say("offline");
      answer.note("failed", { reason }, true);
    }
  } finally {
    busy(false);
    running = null;
    listSessions(session, open).catch(() => {});
  }
}

function busy(is) {
  at("send").hidden = is;
  at("stop").hidden = !is;
}

function menu(shown) {
  at("side").classList.toggle("open", shown);
  document.querySelector('[data-action="menu"]').setAttribute("aria-expanded", String(shown));
}

const actions = {
  language: () => {
    switchLanguage();
    translate();
    if (!at("app").hidden) {
      if (!session) messages.welcome();
      listSessions(session, open);
      listDocuments();
    }
  },
  theme: switchTheme,
  menu: () => menu(!at("side").classList.contains("open")),
  new: newChat,
  stop: () => running?.abort(),
  upload: () => at("file").click(),
  "sign-out": async () => {
    running?.abort();
    await api.signOut();
    messages.show([]);
    if (provided) location.assign("/api/auth/oidc/end");
    else enter(false);
  },
};

document.addEventListener("click", (event) => {
  actions[event.target.closest("[data-action]")?.dataset.action]?.();
});

signIn.onSignIn(begin);

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("message").value.trim();
  if (!text || running) return;
  at("message").value = "";
  ask(text);
});

at("message").addEventListener("keydown", (event) => {
  // While a word is being composed (Chinese input), Enter belongs to the input method.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("ask").requestSubmit();
  }
});

at("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file && (await upload(file))) at("grounded").checked = true;
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (at("side").classList.contains("open")) menu(false);
    else running?.abort();
  }
});

api.whenSignedOut(() => {
  enter(false);
  signIn.tell("expired");
});

translate();
applyTheme();
signIn.tellOutcome();
if (await api.renew()) await begin().catch(() => enter(false));
else enter(false);
