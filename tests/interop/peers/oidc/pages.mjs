// Every page that people see, in Chromium at the width of a phone and of a desk and in the dark: axe-core finds nothing serious, nothing is
// cut off, nothing is complained about. With QAPI_SCREENSHOTS set to a folder, pictures are left there.
//
// Needs `pages`: each has a name, a link, the status to expect, and steps that lead to it from there: what to fill in by the
// names of fields, and which button to press. A person has one browser for all pages of a `visit`.

import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { browser, freshPage } from './browser.mjs'
import { check, conclude, place } from './place.mjs'

const PHONE = { width: 390, height: 844 }
const VIEWS = {
  phone: { viewport: PHONE },
  desk: { viewport: { width: 1200, height: 900 } },
  'phone at night': { viewport: PHONE, colorScheme: 'dark' },
}
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const pictures = process.env.QAPI_SCREENSHOTS
const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core')), 'utf8')

async function arrive(page, { link, steps = [], status = 200 }) {
  let answer = link ? await page.goto(new URL(link, place.issuer).href) : undefined
  for (const { fill = {}, press } of steps) {
    for (const [name, value] of Object.entries(fill)) await page.locator(`[name="${name}"]:visible`).first().fill(value)
    const button = page.getByRole('button', { name: new RegExp(press, 'i') }).first()
    const [next] = await Promise.all([page.waitForNavigation(), button.click()])
    answer = next ?? answer
  }
  if (answer) assert.equal(answer.status(), status, `${answer.url()} ${answer.status()}`)
}

async function isAccessible(page) {
  await page.evaluate(axe)
  const { violations, passes } = await page.evaluate(
    (values) => window.axe.run(document, { runOnly: { type: 'tag', values } }),
    RULES,
  )
  assert.ok(passes.length > 0, 'axe-core looked at nothing')
  const bad = violations.filter(({ impact }) => ['serious', 'critical', 'moderate'].includes(impact))
  const told = bad.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map(({ html }) => html).join(' ')}`)
  assert.deepEqual(told, [])
}

async function fits(page) {
  const [wanted, there] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth])
  assert.ok(wanted <= there, `${wanted} px on a screen of ${there} px`)
}

async function isWhole(page) {
  const told = await page.evaluate(() => ({
    title: document.title,
    lang: document.documentElement.lang,
    headings: document.querySelectorAll('h1').length,
    scripts: document.scripts.length,
    unlabelled: [...document.querySelectorAll('input:not([type=hidden])')].filter((input) => !input.labels?.length).length,
  }))
  assert.ok(told.title && told.lang, JSON.stringify(told))
  assert.deepEqual([told.headings, told.scripts, told.unlabelled], [1, 0, 0], JSON.stringify(told))
}

const fileOf = (name) => `${name.replaceAll(/\W+/g, '-')}.png`

if (pictures) await mkdir(pictures, { recursive: true })
const chromium = await browser()
for (const [view, settings] of Object.entries(VIEWS)) {
  const visits = new Map()
  for (const wanted of place.pages) {
    const visit = wanted.visit ?? wanted.name
    if (!visits.has(visit)) visits.set(visit, await freshPage(chromium, settings))
    const page = visits.get(visit)
    await check(`${wanted.name} on a ${view}`, async () => {
      page.complaints.length = 0
      try {
        await arrive(page, wanted)
        if (wanted.shows) await page.getByText(new RegExp(wanted.shows, 'i')).first().waitFor()
      } finally {
        if (pictures) await page.screenshot({ path: join(pictures, fileOf(`${wanted.name} ${view}`)), fullPage: true })
      }
      await isWhole(page)
      await fits(page)
      await isAccessible(page)
      const complaints = page.complaints.filter((line) => !(wanted.status >= 400 && line.includes('Failed to load resource')))
      assert.deepEqual(complaints, [])
    })
  }
  for (const page of visits.values()) await page.context().close()
}
await chromium.close()
conclude('pages')
