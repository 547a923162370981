// The same bad requests to us and to oidc-provider: both refuse them by the same word. Where it has a word of its own for what
// RFC 6749 names (a client it does not know, a grant that is another's), nothing is compared. Needs the applications
// `web`, `device` and `service`, and `other`: where oidc-provider listens with the same applications.

import assert from 'node:assert/strict'
import { check, conclude, place } from './place.mjs'

const { web, device, service } = place.applications
const basic = ({ id, secret }) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })
const pushed = { response_type: 'code', redirect_uri: web.redirectUri, scope: 'openid', code_challenge_method: 'S256' }
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

const code = { grant_type: 'authorization_code', redirect_uri: web.redirectUri }
const twice = [['grant_type', 'client_credentials'], ['grant_type', 'client_credentials']]
const PUSHED = 'pushed_authorization_request_endpoint'

const REQUESTS = [
  ['a grant nobody has', 'token_endpoint', basic(service), { grant_type: 'password' }],
  ['no grant', 'token_endpoint', basic(service), {}],
  ['a wrong secret', 'token_endpoint', basic({ ...service, secret: 'wrong' }), { grant_type: 'client_credentials' }],
  ['nobody', 'token_endpoint', basic({ id: 'nobody', secret: 'x' }), { grant_type: 'client_credentials' }],
  ['an unknown code', 'token_endpoint', basic(web), { ...code, code: 'x', code_verifier: 'x'.repeat(43) }],
  ['no code', 'token_endpoint', basic(web), code],
  ['an unknown refresh token', 'token_endpoint', basic(web), { grant_type: 'refresh_token', refresh_token: 'x' }],
  ['an unknown device code', 'token_endpoint', {}, { grant_type: DEVICE_CODE, device_code: 'x', client_id: device.id }],
  ['a parameter twice', 'token_endpoint', basic(service), twice],
  ['a pushed request without a challenge', PUSHED, basic(web), pushed],
  ['a pushed plain challenge', PUSHED, basic(web), { ...pushed, code_challenge: challenge, code_challenge_method: 'plain' }],
  ['introspection of nothing', 'introspection_endpoint', basic(web), {}],
  ['revocation of nothing', 'revocation_endpoint', basic(web), {}],
  ['revocation by a wrong secret', 'revocation_endpoint', basic({ ...web, secret: 'wrong' }), { token: 'x' }],
]

async function refusal(issuer, endpoint, headers, body) {
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
  const answer = await fetch(metadata[endpoint], { method: 'POST', headers, body: new URLSearchParams(body) })
  const text = await answer.text()
  assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${text}`)
  return { status: answer.status, error: JSON.parse(text).error }
}

for (const [name, ...request] of REQUESTS) {
  await check(name, async () => {
    assert.deepEqual(await refusal(place.issuer, ...request), await refusal(place.other, ...request))
  })
}

conclude('refusals as those of oidc-provider')
