// A person at a provider, without a browser: follows where an application sends them, signs in, and comes back to its address.

import assert from 'node:assert/strict'
import { place } from './place.mjs'

const form = 'application/x-www-form-urlencoded'

/** A browser without script: it keeps cookies and says where its forms come from. */
export class Person {
  #cookies = new Map()

  constructor({ email, password }) {
    this.email = email
    this.password = password
  }

  async #send(link, init = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(link, { ...init, redirect: 'manual', headers: { ...init.headers, ...(cookie && { cookie }) } })
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split(/=(.*)/s)
      this.#cookies.set(name, value)
    }
    return answer
  }

  get(link) {
    return this.#send(link)
  }

  post(link, fields) {
    const headers = { 'content-type': form, origin: new URL(place.issuer).origin, 'sec-fetch-site': 'same-origin' }
    return this.#send(link, { method: 'POST', headers, body: new URLSearchParams(fields) })
  }

  /** Where an application's link leads in the end: to its own address, signing in on the way where that is asked. */
  async follow(link) {
    let answer = await this.get(link)
    for (let step = 0; step < 5; step += 1) {
      assert.equal(answer.status, 303, await answer.text())
      const next = new URL(answer.headers.get('location'), place.issuer)
      if (next.origin !== new URL(place.issuer).origin) return next
      assert.equal(next.pathname, '/login', `an unexpected page: ${next}`)
      const interaction = next.searchParams.get('interaction')
      answer = await this.post(new URL('/login', place.issuer), { interaction, email: this.email, password: this.password })
    }
    return assert.fail('the way has no end')
  }

  /** Types the code of a device and allows it. */
  async allow(link) {
    const page = await this.get(link)
    const text = await page.text()
    assert.equal(page.status, 200, text)
    const code = new URL(link).searchParams.get('user_code')
    let asked = text
    if (text.includes('name="password"')) {
      const answer = await this.post(new URL('/device', place.issuer), { user_code: code, email: this.email, password: this.password })
      asked = await answer.text()
      assert.equal(answer.status, 200, asked)
    }
    const [, token] = asked.match(/name="token" value="([^"]+)"/)
    const done = await this.post(new URL('/device', place.issuer), { user_code: code, answer: 'yes', token })
    assert.equal(done.status, 200, await done.text())
  }
}
