// A real authorization server for tests: node-oidc-provider with the client credentials grant.
//
// The first line of stdin is its configuration, {"clients": [...], "lifetime": seconds, "tls": {key, cert, ca}}.
// It prints `ready ISSUER` and ends when stdin does. GET /tokens-granted counts tokens by client id.
// Without "tls" it speaks plain http. With it, a second port asks clients for a certificate and is what
// mtls_endpoint_aliases name.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createInterface } from 'node:readline'

import { Provider } from 'oidc-provider'

const SCOPES = 'orders:read orders:write'
const CLIENT_AUTH = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none']
const CERTIFICATE_AUTH = ['tls_client_auth', 'self_signed_tls_client_auth']
const ASSERTION_ALGORITHMS = [
  'HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519',
]

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'only' }
}

const certificateOf = (ctx) => ctx.socket.getPeerX509Certificate?.()

const mTLS = {
  enabled: true,
  tlsClientAuth: true,
  selfSignedTlsClientAuth: true,
  certificateBoundAccessTokens: true,
  getCertificate: certificateOf,
  certificateAuthorized: (ctx) => ctx.socket.authorized,
  certificateSubjectMatches: (ctx, property, expected) =>
    property === 'tls_client_auth_san_dns' && certificateOf(ctx).checkHost(expected) !== undefined,
}

function providerFor(issuer, mtlsOrigin, { clients, lifetime }) {
  return new Provider(issuer, {
    clientAuthMethods: [...CLIENT_AUTH, ...(mtlsOrigin ? CERTIFICATE_AUTH : [])],
    enabledJWA: { clientAuthSigningAlgValues: ASSERTION_ALGORITHMS },
    discovery: mtlsOrigin && { mtls_endpoint_aliases: { token_endpoint: `${mtlsOrigin}/token` } },
    clients: clients.map((client) => ({
      grant_types: ['client_credentials'],
      id_token_signed_response_alg: 'ES256',
      redirect_uris: [],
      response_types: [],
      ...client,
    })),
    jwks: { keys: [signingKey()] },
    scopes: SCOPES.split(' '),
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      devInteractions: { enabled: false },
      ...(mtlsOrigin && { mTLS }),
      // A token for a resource is a JWT, any other one is opaque.
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          audience: resource,
          scope: SCOPES,
          accessTokenFormat: 'jwt',
          accessTokenTTL: lifetime,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    ttl: { ClientCredentials: lifetime },
  })
}

const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))

async function serve(configuration) {
  const { tls } = configuration
  const servers = [tls ? createTlsServer(tls) : createServer()]
  if (tls) servers.push(createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }))
  const [port, mtlsPort] = await Promise.all(servers.map(listening))
  const issuer = tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
  const provider = providerFor(issuer, tls && `https://localhost:${mtlsPort}`, configuration)
  const granted = {}
  provider.on('grant.success', ({ oidc: { client } }) => {
    granted[client.clientId] = (granted[client.clientId] ?? 0) + 1
  })
  const answer = provider.callback()
  for (const server of servers) {
    server.on('request', (request, response) => {
      if (request.url === '/tokens-granted') response.end(JSON.stringify(granted))
      else answer(request, response)
    })
  }
  console.log(`ready ${issuer}`)
}

const lines = createInterface({ input: process.stdin })
lines.once('line', (line) => serve(JSON.parse(line)))
lines.once('close', () => process.exit())
