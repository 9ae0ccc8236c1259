// Clients, features and lifetimes; what is left out has oidc-provider's own default.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { GRANT_TYPE } from './exchange.mjs';
import { MapStore } from './store.mjs';

const CALLBACK = 'http://localhost:4000/callback';
const LIFETIME_S = 3600;

export function configuration(environ) {
  return {
    adapter: MapStore,
    clients: clients((name) => environ[`OIDC_PROVIDER_${name}_SECRET`], JSON.parse(environ.OIDC_PROVIDER_KEY_JWT_JWKS)),
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none',
    ],
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    jwks: { keys: [signingKey()] },
    scopes: ['openid', 'offline_access', 'profile', 'api'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: id, preferred_username: id }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    // Only this client's refresh tokens are good for one use; oidc-provider's default would rotate by their age.
    rotateRefreshToken: (ctx) => ctx.oidc.client.clientId === 'rotating',
    ttl: { AccessToken: LIFETIME_S, ClientCredentials: LIFETIME_S, RefreshToken: 24 * LIFETIME_S },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      // Access tokens are opaque, and JWTs where a resource is named.
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
  };
}

function clients(secretOf, jwks) {
  const plain = { redirect_uris: [], response_types: [] };
  const browser = {
    redirect_uris: [CALLBACK],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    scope: 'openid offline_access profile',
  };
  const service = { ...plain, grant_types: ['client_credentials'], scope: 'api' };
  const post = { token_endpoint_auth_method: 'client_secret_post' };
  return [
    { ...service, client_id: 'access', client_secret: secretOf('ACCESS') },
    { ...service, client_id: 'secret_jwt', client_secret: secretOf('SECRET_JWT'), token_endpoint_auth_method: 'client_secret_jwt' },
    { ...service, client_id: 'key_jwt', jwks, token_endpoint_auth_method: 'private_key_jwt' },
    { ...browser, ...post, client_id: 'subject', client_secret: secretOf('SUBJECT') },
    { ...plain, ...post, client_id: 'actor', client_secret: secretOf('ACTOR'), grant_types: [GRANT_TYPE], scope: 'openid profile' },
    { ...browser, ...post, client_id: 'rotating', client_secret: secretOf('ROTATING') },
    { ...browser, ...post, client_id: 'stranger', client_secret: secretOf('STRANGER') },
  ];
}

function resourceServer(_, resource) {
  return {
    scope: 'api openid profile',
    audience: resource,
    accessTokenTTL: LIFETIME_S,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'RS256' } },
  };
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'load-test' };
}
