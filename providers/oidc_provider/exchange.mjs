// Token exchange (RFC 8693) of a user's opaque access token, as a grant of oidc-provider's own interface for them.
import { errors } from 'oidc-provider';

export const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const PARAMETERS = [
  'subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'actor_token_type',
  'audience', 'resource', 'scope',
];
export const REPEATABLE = ['audience', 'resource'];

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const MAY_BE_TAKEN_FROM = new Set(['subject']);

export async function exchange(ctx) {
  const { client, params, provider } = ctx.oidc;
  if (!params.subject_token) throw new errors.InvalidRequest('missing required parameter(s): subject_token');
  if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest('subject_token_type is not supported');
  const subject = await provider.AccessToken.find(params.subject_token);
  if (!subject) throw new errors.InvalidRequest('subject token not found');
  if (!MAY_BE_TAKEN_FROM.has(subject.clientId)) {
    throw new errors.InvalidRequest('this client does not take what was issued to that one');
  }
  const token = new provider.AccessToken({
    accountId: subject.accountId,
    client,
    grantId: await grantOf(provider, subject.accountId, client.clientId, scopeOf(params.scope, subject)),
    gty: 'token_exchange',
    scope: scopeOf(params.scope, subject),
  });
  ctx.oidc.entity('AccessToken', token);
  const value = await token.save();
  ctx.body = {
    access_token: value,
    issued_token_type: ACCESS_TOKEN,
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: token.scope,
  };
}

// What is asked for, and no more than the subject token has; all of that where nothing is asked for.
function scopeOf(asked, subject) {
  const held = [...subject.scopes].filter((scope) => scope !== 'offline_access');
  const wanted = asked ? asked.split(' ') : held;
  const beyond = wanted.filter((scope) => !held.includes(scope));
  if (beyond.length > 0) throw new errors.InvalidScope('the subject token has not every requested scope', beyond.join(' '));
  return wanted.join(' ');
}

async function grantOf(provider, accountId, clientId, scope) {
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope(scope);
  return grant.save();
}
