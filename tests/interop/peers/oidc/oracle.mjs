// Another provider, oidc-provider, with keys of ML-DSA-65: the yardstick for our answers to bad
// requests. Takes the same place as the programs beside it, and says where it listens.

import { createServer } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import Provider from 'oidc-provider'
import { place } from './place.mjs'

const CODE = ['authorization_code', 'refresh_token']
const GRANTS = {
  WebApp: CODE,
  SPA: CODE,
  NativeApp: [...CODE, 'urn:ietf:params:oauth:grant-type:device_code'],
  MachineToMachine: ['client_credentials'],
}
const ALGORITHMS = ['ML-DSA-65', 'ES256']

const signingKey = async (alg) => ({
  ...(await exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)),
  alg,
  use: 'sig',
})

const registered = ({ id, secret, redirectUri, scope, type, alg }) => ({
  client_id: id,
  client_secret: secret ?? undefined,
  token_endpoint_auth_method: secret ? 'client_secret_basic' : 'none',
  application_type: type === 'NativeApp' ? 'native' : 'web',
  redirect_uris: redirectUri ? [redirectUri] : [],
  response_types: redirectUri ? ['code'] : [],
  grant_types: GRANTS[type],
  scope: scope || undefined,
  id_token_signed_response_alg: alg ?? 'ML-DSA-65',
})

const scopes = Object.values(place.applications).flatMap(({ scope }) => scope.split(' '))

const server = createServer()
await new Promise((listens) => server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', listens))
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: Object.values(place.applications).map(registered),
  enabledJWA: {
    clientAuthSigningAlgValues: ALGORITHMS,
    idTokenSigningAlgValues: ALGORITHMS,
  },
  jwks: { keys: await Promise.all(ALGORITHMS.map(signingKey)) },
  scopes: ['openid', 'offline_access', ...scopes],
  pkce: { required: () => true },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****' },
  },
})

server.on('request', provider.callback())
provider.on('server_error', (_, error) => console.error(error))
console.log(`listening ${issuer}`)
