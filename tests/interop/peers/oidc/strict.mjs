// oauth4webapi, which does nothing by itself and lets nothing pass: what it says of single answers that need no person. Needs
// the applications `web` and `service` with secrets, and the public application `native`.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { check, conclude, place } from './place.mjs'

const plain = { [oauth.allowInsecureRequests]: true }
const { native, service, web } = place.applications
const self = { client_id: service.id }
const basic = oauth.ClientSecretBasic(service.secret)

const issuer = new URL(place.issuer)
const as = await check('discovery by OpenID Connect', async () =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain)))

await check('discovery by RFC 8414 says the same', async () => {
  const answer = await oauth.discoveryRequest(issuer, { ...plain, algorithm: 'oauth2' })
  const told = await oauth.processDiscoveryResponse(issuer, answer)
  for (const [member, value] of Object.entries(told)) assert.deepEqual(as[member], value, member)
})

/** What is refused, and by which kind of answer. */
async function refusal(promise) {
  return promise.then(() => assert.fail('expected a refusal'), (reason) => reason)
}

/** The error that a browser is sent back with. */
async function sentBack(application, more) {
  const state = oauth.generateRandomState()
  const link = new URL(as.authorization_endpoint)
  link.search = new URLSearchParams({
    client_id: application.id,
    redirect_uri: application.redirectUri,
    response_type: 'code',
    scope: 'openid',
    code_challenge: await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier()),
    code_challenge_method: 'S256',
    state,
    ...more,
  })
  const answer = await fetch(link, { redirect: 'manual' })
  assert.equal(answer.status, 303)
  const back = new URL(answer.headers.get('location'))
  const judged = Promise.resolve().then(() => oauth.validateAuthResponse(as, { client_id: application.id }, back, state))
  const error = await refusal(judged)
  assert.ok(error instanceof oauth.AuthorizationResponseError, String(error))
  return error.error
}

await check('a plain challenge comes back as an error with its issuer and state', async () =>
  assert.equal(await sentBack(native, { code_challenge_method: 'plain' }), 'invalid_request'))

await check('who is not signed in is told so where no page may be shown', async () =>
  assert.equal(await sentBack(web, { prompt: 'none' }), 'login_required'))

const token = await check('a service gets a token, which nobody keeps', async () => {
  const answer = await oauth.clientCredentialsGrantRequest(as, self, basic, { scope: service.scope }, plain)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const given = await oauth.processClientCredentialsResponse(as, self, answer)
  assert.equal(given.token_type, 'bearer')
  return given.access_token
})

await check('an API of RFC 9068 takes the access token', async () => {
  const request = new Request('https://api.example.com/', { headers: { authorization: `Bearer ${token}` } })
  assert.equal((await oauth.validateJwtAccessToken(as, request, service.id, plain)).client_id, service.id)
})

await check('an API for others refuses it', async () => {
  const request = new Request('https://api.example.com/', { headers: { authorization: `Bearer ${token}` } })
  await assert.rejects(oauth.validateJwtAccessToken(as, request, web.id, plain))
})

await check('userinfo challenges a token it does not know', async () => {
  const answer = await oauth.userInfoRequest(as, self, 'unknown', plain)
  const error = await refusal(oauth.processUserInfoResponse(as, self, oauth.skipSubjectCheck, answer))
  assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, String(error))
  assert.deepEqual([error.status, error.cause[0].scheme, error.cause[0].parameters.error], [401, 'bearer', 'invalid_token'])
})

await check('a wrong secret is refused by 401', async () => {
  const answer = await oauth.clientCredentialsGrantRequest(as, self, oauth.ClientSecretBasic('wrong'), {}, plain)
  assert.equal(answer.status, 401)
  const error = await refusal(oauth.processClientCredentialsResponse(as, self, answer))
  assert.ok(error instanceof oauth.WWWAuthenticateChallengeError || error.error === 'invalid_client', String(error))
})

await check('introspection tells of a token, and nothing of what it does not know', async () => {
  const told = async (text) =>
    oauth.processIntrospectionResponse(as, self, await oauth.introspectionRequest(as, self, basic, text, plain))
  assert.equal((await told(token)).active, true)
  assert.deepEqual(await told('unknown'), { active: false })
})

await check('revoking what is unknown is fine', async () => {
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, self, basic, 'unknown', plain))
})

conclude('oauth4webapi')
