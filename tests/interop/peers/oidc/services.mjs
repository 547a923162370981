// openid-client as a certified client, and jose as the API behind it, for services: every answer with ML-DSA-65. Needs the
// applications `web` (with a secret), `service` (with a secret) and `machine` (whose key is `machine.privateJwk`).

import assert from 'node:assert/strict'
import { calculateJwkThumbprint, createRemoteJWKSet, decodeProtectedHeader, importJWK, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { check, conclude, place } from './place.mjs'

const issuer = new URL(place.issuer)
const { web, service, machine } = place.applications

function configured({ id, secret, privateKey }) {
  const metadata = { id_token_signed_response_alg: 'ML-DSA-65' }
  const how = privateKey ? client.PrivateKeyJwt(privateKey) : client.ClientSecretBasic(secret)
  const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks]
  return client.discovery(issuer, id, metadata, how, { execute })
}

const refused = async (promise, code) => {
  const error = await promise.then(() => assert.fail(`expected ${code}`), (reason) => reason)
  assert.equal(error.error ?? error.cause?.error, code, String(error))
}

const config = await check('discovery', () => configured(service))
const metadata = config.serverMetadata()
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri))

await check('the key set names its keys by their thumbprints', async () => {
  const { keys: listed } = await (await fetch(metadata.jwks_uri)).json()
  assert.ok(listed.some((key) => key.kty === 'AKP'))
  for (const key of listed) {
    assert.equal(key.kid, await calculateJwkThumbprint(key))
    for (const secret of ['priv', 'd', 'k']) assert.ok(!(secret in key))
  }
})

/** What an API sees in a token, with nothing but the key set. */
async function read(tokens, { id }) {
  const { payload } = await jwtVerify(tokens.access_token, keys, {
    issuer: metadata.issuer,
    audience: id,
    algorithms: ['ML-DSA-65'],
    typ: 'at+jwt',
    requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
  })
  assert.deepEqual([payload.sub, payload.client_id], [id, id])
  assert.ok(payload.exp - payload.iat <= 600)
  return payload
}

const tokens = await check('a service gets a token for its secret, and an API takes it', async () => {
  const given = await client.clientCredentialsGrant(config, { scope: service.scope })
  assert.equal(decodeProtectedHeader(given.access_token).alg, 'ML-DSA-65')
  assert.equal((await read(given, service)).scope, service.scope)
  assert.deepEqual([given.refresh_token, given.id_token], [undefined, undefined])
  return given
})

await check('a machine shows a key of ML-DSA-65 instead of a secret', async () => {
  const privateKey = { key: await importJWK(machine.privateJwk), kid: machine.privateJwk.kid }
  const own = await configured({ ...machine, privateKey })
  await read(await client.clientCredentialsGrant(own, { scope: machine.scope }), machine)
})

await check('more scope than allowed is refused', () =>
  refused(client.clientCredentialsGrant(config, { scope: 'everything' }), 'invalid_scope'))

await check('introspection knows the token until it is revoked', async () => {
  const told = await client.tokenIntrospection(config, tokens.access_token)
  assert.deepEqual([told.active, told.client_id, told.sub], [true, service.id, service.id])
  await client.tokenRevocation(config, tokens.access_token)
  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false })
})

await check('a request is pushed, and its name goes to the browser', async () => {
  const own = await configured(web)
  const challenge = await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier())
  const asked = { redirect_uri: web.redirectUri, scope: 'openid', state: 's', code_challenge: challenge, code_challenge_method: 'S256' }
  const link = await client.buildAuthorizationUrlWithPAR(own, { ...asked, prompt: 'none' })
  assert.deepEqual([...link.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  const answer = await fetch(link, { redirect: 'manual' })
  assert.equal(answer.status, 303)
  const back = new URL(answer.headers.get('location'))
  assert.equal(back.origin + back.pathname, web.redirectUri)
  const told = ['error', 'iss', 'state'].map((name) => back.searchParams.get(name))
  assert.deepEqual(told, ['login_required', metadata.issuer, 's'])
})

conclude('openid-client for services')
