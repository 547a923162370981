// oauth4webapi with a person: every single answer of the code flow, and what an attacker would change of it. Needs the applications
// `web` and `native`, and a `person` of both.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { Person } from './person.mjs'
import { check, conclude, place } from './place.mjs'

const plain = { [oauth.allowInsecureRequests]: true }
const { web } = place.applications
const self = { client_id: web.id, id_token_signed_response_alg: 'ML-DSA-65' }
const basic = oauth.ClientSecretBasic(web.secret)
const issuer = new URL(place.issuer)
const as = await check('discovery', async () => oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain)))
const ada = new Person(place.person)

async function asked(more = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const link = new URL(as.authorization_endpoint)
  link.search = new URLSearchParams({
    client_id: web.id,
    redirect_uri: web.redirectUri,
    response_type: 'code',
    scope: 'openid email offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  })
  return { back: await ada.follow(link), verifier, state, nonce }
}

async function redeemed({ back, verifier, state }, change = {}) {
  const parameters = oauth.validateAuthResponse(as, self, back, state)
  return oauth.authorizationCodeGrantRequest(as, self, basic, parameters, change.redirectUri ?? web.redirectUri, change.verifier ?? verifier, plain)
}

const answer = await check('the answer is one of this issuer, and its tokens are of this request', async () => {
  const request = await asked()
  const response = await redeemed(request)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  const result = await oauth.processAuthorizationCodeResponse(as, self, response, { expectedNonce: request.nonce, requireIdToken: true })
  await oauth.validateApplicationLevelSignature(as, response, plain)
  return result
})

await check('another issuer, another state and another nonce are seen', async () => {
  const request = await asked()
  const forged = new URL(request.back)
  forged.searchParams.set('iss', 'https://evil.example')
  assert.throws(() => oauth.validateAuthResponse(as, self, forged, request.state))
  assert.throws(() => oauth.validateAuthResponse(as, self, request.back, oauth.generateRandomState()))
  const response = await redeemed(request)
  await assert.rejects(oauth.processAuthorizationCodeResponse(as, self, response, { expectedNonce: oauth.generateRandomNonce(), requireIdToken: true }))
})

await check('another verifier and another address are refused', async () => {
  for (const change of [{ verifier: oauth.generateRandomCodeVerifier() }, { redirectUri: 'https://evil.example/cb' }]) {
    const response = await redeemed(await asked(), change)
    await assert.rejects(oauth.processAuthorizationCodeResponse(as, self, response), { error: 'invalid_grant' })
  }
})

await check('a code works once', async () => {
  const request = await asked()
  const first = await oauth.processAuthorizationCodeResponse(as, self, await redeemed(request), { expectedNonce: request.nonce })
  await assert.rejects(oauth.processAuthorizationCodeResponse(as, self, await redeemed(request)), { error: 'invalid_grant' })
  const told = await oauth.introspectionRequest(as, self, basic, first.access_token, plain)
  assert.equal((await oauth.processIntrospectionResponse(as, self, told)).active, false)
})

await check('userinfo is about whom the ID token is about', async () => {
  const { sub } = oauth.getValidatedIdTokenClaims(answer)
  const response = await oauth.userInfoRequest(as, self, answer.access_token, plain)
  assert.equal((await oauth.processUserInfoResponse(as, self, sub, response)).email, place.person.email)
})

await check('a refresh is rotated', async () => {
  const response = await oauth.refreshTokenGrantRequest(as, self, basic, answer.refresh_token, plain)
  const next = await oauth.processRefreshTokenResponse(as, self, response)
  assert.notEqual(next.refresh_token, answer.refresh_token)
})

conclude('oauth4webapi with people')
