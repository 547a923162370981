// oidc-client-ts in Chromium: a single-page application of another origin signs somebody in, reads userinfo across origins, renews by its
// refresh token, and signs out. Needs the application `spa` with its `origin`, and a `spaPerson`.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { browser, freshPage } from './browser.mjs'
import { check, conclude, place } from './place.mjs'

const { spa } = place.applications
const origin = new URL(spa.redirectUri).origin
const module = dirname(fileURLToPath(import.meta.resolve('oidc-client-ts')))
const library = await readFile(join(module, '../browser/oidc-client-ts.min.js'), 'utf8')
const page = `<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1><script src="/library.js"></script></html>`
const answers = { '/library.js': ['text/javascript', library] }
const server = createServer((request, response) => {
  const [type, body] = answers[new URL(request.url, origin).pathname] ?? ['text/html', page]
  response.writeHead(200, { 'content-type': type }).end(body)
})
await new Promise((listening) => server.listen(Number(new URL(origin).port), '127.0.0.1', listening))

const settings = {
  authority: place.issuer,
  client_id: spa.id,
  redirect_uri: spa.redirectUri,
  post_logout_redirect_uri: `${origin}/bye`,
  scope: 'openid email offline_access',
  loadUserInfo: true,
  automaticSilentRenew: false,
}
const chromium = await browser()
const tab = await freshPage(chromium)
const inPage = (work, argument) => tab.evaluate(work, { settings, argument })

await check('the application leads to the sign-in page', async () => {
  await tab.goto(`${origin}/`)
  await Promise.all([
    tab.waitForURL(/\/login\?/),
    inPage(({ settings: own }) => void new window.oidc.UserManager(own).signinRedirect()),
  ])
})

await check('whoever signs in comes back with a code', async () => {
  await tab.locator('[name=email]').fill(place.spaPerson.email)
  await tab.locator('[name=password]').fill(place.spaPerson.password)
  await Promise.all([tab.waitForURL(/[?&]code=/), tab.getByRole('button', { name: 'Sign in' }).click()])
  assert.equal(new URL(tab.url()).origin, origin)
})

const first = await check('the code is redeemed across origins, and userinfo is read', async () => {
  const user = await inPage(async ({ settings: own }) => {
    const found = await new window.oidc.UserManager(own).signinRedirectCallback()
    return { access: found.access_token, refresh: found.refresh_token, profile: found.profile }
  })
  assert.equal(user.profile.email, place.spaPerson.email)
  assert.equal(user.profile.iss, place.issuer)
  assert.ok(user.access && user.refresh)
  return user
})

await check('it renews in silence by its refresh token', async () => {
  const user = await inPage(async ({ settings: own }) => {
    const found = await new window.oidc.UserManager(own).signinSilent()
    return { access: found.access_token, refresh: found.refresh_token }
  })
  assert.ok(user.access !== first.access && user.refresh !== first.refresh)
})

await check('a page of another origin reads nothing', async () => {
  const other = await freshPage(chromium)
  await other.goto(`http://localhost:${new URL(origin).port}/`)
  const read = await other.evaluate(
    ({ endpoint, access }) => fetch(endpoint, { headers: { authorization: `Bearer ${access}` } }).then(() => 'read', () => 'blocked'),
    { endpoint: `${place.issuer}/oauth2/userinfo`, access: first.access },
  )
  assert.equal(read, 'blocked')
  await other.context().close()
})

await check('who signs out there is signed out here', async () => {
  await Promise.all([
    tab.waitForURL(`${origin}/bye**`),
    inPage(({ settings: own }) => void new window.oidc.UserManager(own).signoutRedirect()),
  ])
  await tab.goto(`${place.issuer}/account`)
  await tab.getByText('Sign in to your account').waitFor()
})

await chromium.close()
server.close()
conclude('oidc-client-ts in Chromium')
