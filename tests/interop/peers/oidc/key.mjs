// Prints a key pair of ML-DSA-65 as `{ "privateJwk", "publicJwk" }`, as a client would make one for itself.

import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'

const { privateKey } = await generateKeyPair('ML-DSA-65', { extractable: true })
const { priv, ...bare } = { ...(await exportJWK(privateKey)), alg: 'ML-DSA-65' }
const publicJwk = { ...bare, use: 'sig', kid: await calculateJwkThumbprint(bare) }
console.log(JSON.stringify({ privateJwk: { ...publicJwk, priv }, publicJwk }))
