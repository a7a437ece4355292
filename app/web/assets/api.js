// Speaks with the app. The access token lives in this page's memory alone; what survives a reload is a cookie
// that no script can read.
let access = null;
let renewing = null;
let signedOut = () => {};

export class ApiFailure extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// What the app said of a failure; nothing where it was not reached, whatever the browser says in its own words.
export function reason(error) {
  return error instanceof ApiFailure ? error.message : "";
}

export function whenSignedOut(act) {
  signedOut = act;
}

// How users sign in here; where that is not told, by password.
export async function ways() {
  try {
    return await accepted(await send("/api/auth/methods", {}));
  } catch {
    return { password: true, provider: false };
  }
}

export async function signIn(user, password) {
  const answer = await send("/api/auth/login", json({ user, password }));
  access = (await accepted(answer)).access_token;
}

export async function signOut() {
  await send("/api/auth/logout", { method: "POST" }).catch(() => {});
  access = null;
}

// Several requests that find the token expired renew it once.
export function renew() {
  renewing ??= (async () => {
    try {
      const answer = await send("/api/auth/refresh", { method: "POST" });
      access = answer.ok ? (await answer.json()).access_token : null;
    } catch {
      access = null;
    } finally {
      renewing = null;
    }
    return access !== null;
  })();
  return renewing;
}

export async function request(path, options = {}) {
  let answer = await send(path, options);
  if (answer.status === 401) {
    if (!(await renew())) {
      signedOut();
      throw new ApiFailure(401, "unauthorized", "");
    }
    answer = await send(path, options);
  }
  return answer;
}

export async function ask(path, options = {}) {
  return accepted(await request(path, options));
}

export function json(body, more = {}) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...more };
}

async function send(path, options) {
  const headers = { ...options.headers };
  if (access) headers.Authorization = `Bearer ${access}`;
  return fetch(path, { credentials: "same-origin", ...options, headers });
}

async function accepted(answer) {
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiFailure(answer.status, body.error?.code ?? "", body.error?.message ?? "");
  return body;
}

// Yields [event, data] of a stream of server-sent events.
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += value;
      const blocks = held.split("\n\n");
      held = blocks.pop();
      for (const block of blocks) {
        let name = "message";
        let data = "";
        for (const line of block.split("\n")) {
          if (line.startsWith("event: ")) name = line.slice(7);
          else if (line.startsWith("data: ")) data += line.slice(6);
        }
        if (data) yield [name, JSON.parse(data)];
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
