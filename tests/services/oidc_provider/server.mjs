// A real authorization server for tests: node-oidc-provider with the client credentials grant.
//
// The first line of stdin is its configuration, {"clients": [...], "lifetime": seconds}. It prints
// `ready ISSUER` and ends when stdin does. GET /tokens-granted counts tokens by client id.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

import { Provider } from 'oidc-provider'

const SCOPES = 'orders:read orders:write'

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'only' }
}

function providerFor(issuer, { clients, lifetime }) {
  return new Provider(issuer, {
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
      devInteractions: { enabled: false },
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

const lines = createInterface({ input: process.stdin })
lines.once('line', (line) => {
  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const issuer = `http://127.0.0.1:${server.address().port}`
    const provider = providerFor(issuer, JSON.parse(line))
    const granted = {}
    provider.on('grant.success', ({ oidc: { client } }) => {
      granted[client.clientId] = (granted[client.clientId] ?? 0) + 1
    })
    const answer = provider.callback()
    server.on('request', (request, response) => {
      if (request.url === '/tokens-granted') response.end(JSON.stringify(granted))
      else answer(request, response)
    })
    console.log(`ready ${issuer}`)
  })
})
lines.once('close', () => process.exit())
