// Node programs that know nothing of ML-DSA before a key set that mixes it with EC keys: jwks-rsa finds the EC key, and it and
// jsonwebtoken fail closed on what they cannot verify. Needs `quantumSafeToken` and `jwksUri`.

import assert from 'node:assert/strict'
import jsonwebtoken from 'jsonwebtoken'
import jwksRsa from 'jwks-rsa'
import { check, conclude, place } from './place.mjs'

const { quantumSafeToken, jwksUri } = place
const client = jwksRsa({ jwksUri })
const { keys } = await (await fetch(jwksUri)).json()

const key = await check('jwks-rsa finds the EC key', async () => {
  const { kid } = keys.find(({ kty }) => kty === 'EC')
  const found = await client.getSigningKey(kid)
  assert.match(found.getPublicKey(), /BEGIN PUBLIC KEY/)
  return found
})

await check('jwks-rsa has no key for a token of ML-DSA', async () => {
  const { kid } = jsonwebtoken.decode(quantumSafeToken, { complete: true }).header
  assert.ok(keys.some((entry) => entry.kid === kid && entry.kty === 'AKP'))
  await assert.rejects(client.getSigningKey(kid), { name: 'SigningKeyNotFoundError' })
})

await check('jsonwebtoken takes no token of ML-DSA, whatever it is told', () => {
  const told = [{}, { algorithms: ['ES256'] }, { algorithms: ['ML-DSA-65'] }, { algorithms: ['none'] }]
  for (const options of told) assert.throws(() => jsonwebtoken.verify(quantumSafeToken, key.getPublicKey(), options))
  assert.throws(() => jsonwebtoken.verify(quantumSafeToken, '', { algorithms: ['none'] }))
})

conclude('mixed key set, Node')
