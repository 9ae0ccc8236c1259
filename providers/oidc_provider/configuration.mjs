// Clients, features and lifetimes; what is left out has oidc-provider's own default.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { GRANT_TYPE } from './exchange.mjs';
import { MapStore } from './store.mjs';

const CALLBACK = 'http://localhost:4000/callback';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const LIFETIME_S = 3600;
const JWKS = { keys: [signingKey()] };

export function configuration(environ) {
  return {
    adapter: MapStore,
    clients: clients((name) => environ[`OIDC_PROVIDER_${name}`]),
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none',
      'tls_client_auth', 'self_signed_tls_client_auth',
    ],
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    jwks: JWKS,
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
      deviceFlow: { enabled: true },
      mTLS: MUTUAL_TLS,
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      // Access tokens are opaque, and JWTs where a resource is named.
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
  };
}

// A client's certificate as TLS saw it: of an authority that is trusted and with the registered subject, or registered itself.
const MUTUAL_TLS = {
  enabled: true,
  tlsClientAuth: true,
  selfSignedTlsClientAuth: true,
  getCertificate: ({ socket }) => socket.getPeerX509Certificate?.(),
  certificateAuthorized: ({ socket }) => socket.authorized,
  certificateSubjectMatches: ({ socket }, property, expected) => (
    property === 'tls_client_auth_subject_dn' && socket.getPeerX509Certificate().subject === expected
  ),
};

function clients(known) {
  const secretOf = (name) => known(`${name}_SECRET`);
  const plain = { redirect_uris: [], response_types: [] };
  const browser = {
    redirect_uris: [CALLBACK],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', DEVICE],
    scope: 'openid offline_access profile',
  };
  const service = { ...plain, grant_types: ['client_credentials'], scope: 'api' };
  const post = { token_endpoint_auth_method: 'client_secret_post' };
  return [
    { ...service, client_id: 'access', client_secret: secretOf('ACCESS') },
    { ...service, client_id: 'secret_jwt', client_secret: secretOf('SECRET_JWT'), token_endpoint_auth_method: 'client_secret_jwt' },
    { ...service, client_id: 'key_jwt', jwks: JSON.parse(known('KEY_JWT_JWKS')), token_endpoint_auth_method: 'private_key_jwt' },
    { ...service, client_id: 'mtls', tls_client_auth_subject_dn: known('MTLS_SUBJECT'), token_endpoint_auth_method: 'tls_client_auth' },
    { ...service, client_id: 'self_signed', jwks: JSON.parse(known('MTLS_JWKS')), token_endpoint_auth_method: 'self_signed_tls_client_auth' },
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
