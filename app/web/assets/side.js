// The column with conversations and documents.
import { ask, reason, request } from "./api.js";
import { make } from "./messages.js";
import { say, write } from "./words.js";

const sessions = document.getElementById("sessions");
const documents = document.getElementById("documents");
const status = document.getElementById("upload-status");

export async function listSessions(current, open) {
  const found = (await ask("/api/sessions?limit=50")).sessions;
  sessions.replaceChildren(
    ...found.map((session) =>
      make("li", {}, make("button", {
        className: "name",
        textContent: session.title || "…",
        title: session.title,
        "aria-current": String(session.id === current),
        onclick: () => open(session.id),
      })),
    ),
  );
  if (!found.length) sessions.append(make("li", { className: "empty" }, say("noSessions")));
}

export async function listDocuments() {
  const found = (await ask("/api/rag/documents?limit=200")).documents;
  documents.replaceChildren(
    ...found.map((document) =>
      make("li", {},
        make("span", { className: "name", title: document.name }, document.name),
        make("button", {
          textContent: "✕",
          "aria-label": say("remove", { name: document.name }),
          onclick: () => remove(document),
        }),
      ),
    ),
  );
  if (!found.length) documents.append(make("li", { className: "empty" }, say("noDocuments")));
  return found.length;
}

export async function upload(file) {
  status.className = "soft";
  write(status, "uploading", { name: file.name });
  const body = new FormData();
  body.append("file", file);
  try {
    const document = await ask("/api/rag/upload", { method: "POST", body });
    write(status, "uploaded", { name: document.name });
  } catch (error) {
    status.className = "error";
    write(status, reason(error) || "offline");
    return false;
  }
  await listDocuments();
  return true;
}

async function remove(document) {
  if (!confirm(say("removeSure", { name: document.name }))) return;
  await request(`/api/rag/documents/${document.id}`, { method: "DELETE" });
  write(status, "");
  await listDocuments();
}
