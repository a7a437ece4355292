// Shows messages. What a model or a document says becomes text, never markup.
import { say, write } from "./words.js";

const box = document.getElementById("messages");

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// Its language changes with the page's.
function said(name, word, attributes = {}) {
  const element = make(name, attributes);
  write(element, word);
  return element;
}

export function welcome() {
  box.replaceChildren(
    make("div", { className: "welcome" }, said("h1", "welcome"), said("p", "welcomeHint", { className: "soft" })),
  );
}

export function add(role, text = "") {
  box.querySelector(".welcome")?.remove();
  const body = make("div", { className: "text" }, text);
  const element = make("article", { className: `message ${role}` }, body);
  const near = atEnd();
  box.append(element);
  if (near || role === "user") toEnd();
  return new Message(element, body);
}

export class Message {
  constructor(element, body) {
    this.element = element;
    this.body = body;
    this.sources = [];
  }

  wait(waiting) {
    this.body.classList.toggle("waiting", waiting);
  }

  append(text) {
    const near = atEnd();
    this.body.append(text);
    if (near) toEnd();
  }

  note(name, values = {}, failed = false) {
    this.element.classList.toggle("failed", failed);
    const note = make("p", { className: "note" });
    write(note, name, values);
    this.element.append(note);
    if (atEnd()) toEnd();
  }

  // Numbers in brackets become buttons that open their source.
  finish(sources) {
    this.wait(false);
    this.body.normalize();
    if (!sources?.length) return;
    const text = this.body.textContent;
    const details = new Map(sources.map((source) => [source.number, this.detail(source)]));
    this.body.replaceChildren(
      ...text.split(/([\[【]\d{1,2}[\]】])/).map((part) => {
        const detail = details.get(Number(/^[\[【](\d{1,2})[\]】]$/.exec(part)?.[1]));
        return detail ? this.cite(part, detail) : part;
      }),
    );
    this.element.append(
      make("section", { className: "sources", "data-label": "sources", "aria-label": say("sources") }, said("strong", "sources"), ...details.values()),
    );
    if (atEnd()) toEnd();
  }

  cite(part, detail) {
    return make("button", {
      className: "cite",
      type: "button",
      textContent: part,
      onclick: () => {
        detail.open = true;
        detail.querySelector("summary").focus();
      },
    });
  }

  detail(source) {
    const where = [source.heading, source.page ? say("page", { page: source.page }) : ""].filter(Boolean).join(", ");
    const head = `[${source.number}] ${source.name}${where ? ` · ${where}` : ""} · ${Math.round(source.score * 100)} %`;
    return make("details", {}, make("summary", {}, head), make("blockquote", {}, source.text));
  }
}

export function show(messages) {
  box.replaceChildren();
  for (const each of messages) {
    const message = add(each.role, each.content);
    if (each.role === "assistant") {
      message.finish(each.sources);
      if (each.sources && !each.sources.length) message.note("noSources");
      if (each.status === "interrupted") message.note("interrupted");
    }
  }
  toEnd();
}

function atEnd() {
  return box.scrollHeight - box.scrollTop - box.clientHeight < 80;
}

function toEnd() {
  box.scrollTop = box.scrollHeight;
}
