// openid-client and jose with people: the code flow with everything that a certified client looks at, refresh, step by step; and the
// device grant. Every token is ML-DSA-65. Needs the application `web`, `device`, and a `person` who is an end user of both.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { Person } from './person.mjs'
import { check, conclude, place } from './place.mjs'

const { web, device } = place.applications
const issuer = new URL(place.issuer)

async function configured({ id, secret }) {
  const metadata = { id_token_signed_response_alg: 'ML-DSA-65' }
  const how = secret ? client.ClientSecretBasic(secret) : client.None()
  return client.discovery(issuer, id, metadata, how, { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] })
}

const config = await check('discovery', () => configured(web))
const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri))
const ada = new Person(place.person)

/** Asks for a code, follows the person, and redeems it. */
async function signedIn(more = {}, checks = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
  const link = client.buildAuthorizationUrl(config, {
    redirect_uri: web.redirectUri,
    scope: 'openid profile email offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  })
  const back = await ada.follow(link)
  return client.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, ...checks })
}

const tokens = await check('a code becomes tokens', async () => {
  const given = await signedIn()
  assert.equal(decodeProtectedHeader(given.id_token).alg, 'ML-DSA-65')
  const { payload } = await jwtVerify(given.access_token, keys, { issuer: place.issuer, audience: web.id, typ: 'at+jwt' })
  assert.equal(payload.sub, given.claims().sub)
  return given
})

await check('the ID token binds the access token by SHAKE256', async () => {
  const { payload } = await jwtVerify(tokens.id_token, keys, { issuer: place.issuer, audience: web.id })
  const digest = createHash('shake256', { outputLength: 64 }).update(tokens.access_token).digest()
  assert.equal(payload.at_hash, digest.subarray(0, 32).toString('base64url'))
  assert.ok(payload.sid && payload.auth_time && payload.acr)
  assert.deepEqual(payload.amr, ['pwd'])
})

await check('userinfo is about the same person', async () => {
  const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
  assert.deepEqual([info.email, info.email_verified], [place.person.email, true])
})

const fresh = await check('a refresh gives others, and the spent one none', async () => {
  const next = await client.refreshTokenGrant(config, tokens.refresh_token)
  assert.notEqual(next.refresh_token, tokens.refresh_token)
  assert.equal(next.claims().sub, tokens.claims().sub)
  const last = await client.refreshTokenGrant(config, next.refresh_token)
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' })
  // Whoever showed it ended everything that belongs to it.
  await assert.rejects(client.refreshTokenGrant(config, last.refresh_token), { error: 'invalid_grant' })
  return last
})
await check('what belonged to it is dead', async () =>
  assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, false))

await check('who is asked to sign in anew signed in now', async () => {
  const again = await signedIn({ prompt: 'login', max_age: '60' }, { maxAge: 60 })
  assert.equal(again.claims().sub, tokens.claims().sub)
})

await check('a pushed request leads the same way', async () => {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const link = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: web.redirectUri,
    scope: 'openid',
    state: expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const given = await client.authorizationCodeGrant(config, await ada.follow(link), { pkceCodeVerifier, expectedState, idTokenExpected: true })
  await client.tokenRevocation(config, given.access_token)
  assert.deepEqual(await client.tokenIntrospection(config, given.access_token), { active: false })
})

await check('a device gets tokens once somebody allows it', async () => {
  const own = await configured(device)
  const asked = await client.initiateDeviceAuthorization(own, { scope: 'openid' })
  await new Person(place.deviceOwner).allow(asked.verification_uri_complete ?? `${asked.verification_uri}?user_code=${asked.user_code}`)
  const given = await client.pollDeviceAuthorizationGrant(own, asked)
  assert.equal((await jwtVerify(given.access_token, keys, { audience: device.id })).payload.client_id, device.id)
})

await check('who signs out is signed out', async () => {
  const last = await signedIn()
  const link = client.buildEndSessionUrl(config, { id_token_hint: last.id_token, post_logout_redirect_uri: place.bye, state: 's' })
  const answer = await ada.get(link)
  assert.equal(answer.headers.get('location'), `${place.bye}?state=s`)
  await assert.rejects(client.fetchUserInfo(config, last.access_token, last.claims().sub))
})

conclude('openid-client with people')
