// The pages of a login: name and password, then consent. Users are test_100 and on, with one password.
const USER = /^test_\d+$/;

export function pages(provider, password) {
  return async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const interaction = await provider.interactionDetails(ctx.req, ctx.res);
    const page = interaction.prompt.name === 'login' ? loginPage : consentPage;
    if (ctx.method !== 'POST') return show(ctx, page(ctx.path));
    const form = new URLSearchParams(await text(ctx.req));
    const result = interaction.prompt.name === 'login'
      ? login(form, password)
      : { consent: await consent(provider, interaction) };
    if (!result) return show(ctx, loginPage(ctx.path));
    ctx.respond = false;
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: !result.login });
  };
}

function login(form, password) {
  const known = USER.test(form.get('username')) && form.get('password') === password;
  return known ? { login: { accountId: form.get('username') } } : undefined;
}

async function consent(provider, { grantId, params, prompt, session }) {
  const found = grantId && await provider.Grant.find(grantId);
  const grant = found || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? params.scope.split(' ')).join(' '));
  return { grantId: await grant.save() };
}

async function text(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

function show(ctx, body) {
  ctx.type = 'html';
  ctx.body = `<!doctype html><html lang="en"><title>oidc-provider</title><body>${body}</body></html>`;
}

const loginPage = (action) => `<form method="post" action="${action}">
<label>Name <input name="username"></label> <label>Password <input type="password" name="password"></label>
<button type="submit">Log in</button></form>`;

const consentPage = (action) => `<form method="post" action="${action}">
<input type="submit" name="accept" value="yes"></form>`;
