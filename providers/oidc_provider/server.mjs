// oidc-provider with clients and users for a load test. Port, issuer, secrets and the log's path come from the environment.
import { createWriteStream } from 'node:fs';
import Provider from 'oidc-provider';
import { configuration } from './configuration.mjs';
import { GRANT_TYPE, PARAMETERS, REPEATABLE, exchange } from './exchange.mjs';
import { pages } from './pages.mjs';

const { OIDC_PROVIDER_ISSUER: issuer, OIDC_PROVIDER_PORT: port, OIDC_PROVIDER_LOG: path } = process.env;

const provider = new Provider(issuer, configuration(process.env));
provider.registerGrantType(GRANT_TYPE, exchange, PARAMETERS, REPEATABLE);

// A line for each request, once it is answered: what a client's own count can be compared with.
const log = createWriteStream(path, { flags: 'a' });
provider.use(async (ctx, next) => {
  ctx.res.once('finish', () => {
    const { method, path: asked, res } = ctx;
    const line = { method, path: asked, status: res.statusCode, agent: ctx.get('user-agent'), grant: ctx.oidc?.params?.grant_type };
    log.write(`${JSON.stringify(line)}\n`);
  });
  await next();
});
provider.use(pages(provider, process.env.OIDC_PROVIDER_USERS_PASSWORD));

const server = provider.listen(Number(port), '127.0.0.1');
server.keepAliveTimeout = 75_000;
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => log.end(() => process.exit(0)));
