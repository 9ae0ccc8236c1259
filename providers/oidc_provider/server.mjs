// oidc-provider with clients and users for a load test. Ports, issuers, secrets and the log's path come from the environment.
import { createWriteStream, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';
import { configuration } from './configuration.mjs';
import { GRANT_TYPE, PARAMETERS, REPEATABLE, exchange } from './exchange.mjs';
import { pages } from './pages.mjs';

const LOOPBACK = '127.0.0.1';
const environ = (name) => process.env[`OIDC_PROVIDER_${name}`];
const log = createWriteStream(environ('LOG'), { flags: 'a' });

// A line for each request, once it is answered: what a client's own count can be compared with.
async function logged(ctx, next) {
  ctx.res.once('finish', () => {
    const { method, path: asked, res } = ctx;
    const line = { method, path: asked, status: res.statusCode, agent: ctx.get('user-agent'), grant: ctx.oidc?.params?.grant_type };
    log.write(`${JSON.stringify(line)}\n`);
  });
  await next();
}

function provider(issuer, settings) {
  const made = new Provider(issuer, { ...configuration(process.env), ...settings });
  made.registerGrantType(GRANT_TYPE, exchange, PARAMETERS, REPEATABLE);
  made.use(logged);
  made.use(pages(made, environ('USERS_PASSWORD')));
  return made;
}

function certificate(name) {
  return readFileSync(`${environ('CERTIFICATES')}/${name}`);
}

const plain = provider(environ('ISSUER')).listen(Number(environ('PORT')), LOOPBACK);

// The same by TLS. Clients that show a certificate are sent to a port of their own (RFC 8705 section 5); who shows none, or
// one that nobody trusts, is let in there, too: what it comes to is oidc-provider's own to say.
const mtls = `https://${LOOPBACK}:${environ('MTLS_PORT')}`;
const aliases = { mtls_endpoint_aliases: { token_endpoint: `${mtls}/token` } };
const answer = provider(environ('SECURED_ISSUER'), { discovery: aliases }).callback();
const tls = { cert: certificate('server.pem'), key: certificate('server.key') };
const asking = { requestCert: true, rejectUnauthorized: false, ca: certificate('client.pem') };
const secured = createServer(tls, answer).listen(Number(environ('SECURED_PORT')), LOOPBACK);
const showing = createServer({ ...tls, ...asking }, answer).listen(Number(environ('MTLS_PORT')), LOOPBACK);

for (const server of [plain, secured, showing]) server.keepAliveTimeout = 75_000;
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => log.end(() => process.exit(0)));
