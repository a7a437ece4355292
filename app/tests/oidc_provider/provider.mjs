// The identity provider of the page's tests: oidc-provider, which the OpenID Foundation has certified. Its development pages
// load fonts from the internet, so it has plainer ones here, and whoever signs in has agreed to everything.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const given = JSON.parse(readFileSync(process.argv[2], "utf8"));
const page = (body) => `<!doctype html><html lang="en"><title>Identity provider</title><body>${body}</body></html>`;

const provider = new Provider(given.issuer, {
  clients: given.clients,
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  cookies: { keys: [given.cookie_key] },
  findAccount: (_, id) => id in given.people && { accountId: id, claims: () => ({ sub: id, ...given.people[id] }) },
  // Programs are of the staff.
  extraTokenClaims: (_, token) => (token.kind === "ClientCredentials" ? { groups: ["staff"] } : undefined),
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_, resource) => ({
        scope: "", audience: resource, accessTokenFormat: "jwt", accessTokenTTL: given.access_seconds,
      }),
    },
    rpInitiatedLogout: {
      logoutSource: (ctx, form) => {
        ctx.body = page(`${form}<button form="op.logoutForm" name="logout" value="yes">Leave</button>`);
      },
    },
  },
});

async function interaction(request, response) {
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(page(`<form method="post"><label>Account <input name="account" autofocus></label>
      <button>Go on</button><button name="cancel" value="yes">Cancel</button></form>`));
    return;
  }
  let body = "";
  for await (const piece of request) body += piece;
  const form = new URLSearchParams(body);
  const result = form.get("cancel") ? { error: "access_denied" } : { login: { accountId: form.get("account") } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const answer = provider.callback();
const tls = { key: readFileSync(given.key), cert: readFileSync(given.certificate) };
createServer(tls, (request, response) => {
  if (request.url.startsWith("/interaction/")) interaction(request, response).catch(() => response.destroy());
  else answer(request, response);
}).listen(given.port, given.address, () => console.log("ready"));
