// A token that a service gets for itself: tokens.mjs PLACE APPLICATION prints the answer as JSON.

import * as client from 'openid-client'
import { place } from './place.mjs'

const { id, secret, scope } = place.applications[process.argv[3]]
const execute = [client.allowInsecureRequests]
const config = await client.discovery(new URL(place.issuer), id, {}, client.ClientSecretBasic(secret), { execute })
console.log(JSON.stringify(await client.clientCredentialsGrant(config, { scope })))
