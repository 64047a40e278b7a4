// A real OpenID Connect provider on a loopback port, for tests. It reads one JSON object a line from standard input:
// the first says who its clients and accounts are, later ones give it other keys. It ends with its input.
import http from 'node:http';
import { createInterface } from 'node:readline';

import Provider from 'oidc-provider';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => {
  const { value, done } = await lines.next();
  if (done) process.exit(0);
  return JSON.parse(value);
};

const { clients, accounts, audience, port, jwks } = await next();
let answer = (_, response) => response.writeHead(503).end();
const server = http.createServer((request, response) => answer(request, response));
await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const claimsOf = (token) => accounts[token.accountId ?? token.clientId] ?? {};

const provide = (keys) => {
  const provider = new Provider(issuer, {
    clients: clients.map((client) => ({
      ...client,
      redirect_uris: (client.redirect_uris ?? []),
    })),
    jwks: keys,
    scopes: ['openid', 'offline_access', 'profile'],
    claims: { profile: ['name'], openid: ['sub'] },
    cookies: { keys: ['for tests alone'] },
    pkce: { required: () => true },
    findAccount: (_, id) => (accounts[id] ? { accountId: id, claims: () => ({ sub: id }) } : undefined),
    extraTokenClaims: (_, token) => claimsOf(token),
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    ttl: { AccessToken: 300, ClientCredentials: 300, DeviceCode: 60, IdToken: 300, Interaction: 300, Session: 300, Grant: 300, RefreshToken: 300 },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'openid profile', audience, accessTokenFormat: 'jwt' }),
      },
    },
  });
  answer = provider.callback();
};

provide(jwks);
process.stdout.write(`${issuer}\n`);
for (;;) {
  provide((await next()).jwks);
  process.stdout.write('rotated\n');
}
