// Chromium without a screen, as the tests use it: `CHROMIUM` names another program than the system's.

import { chromium } from 'playwright-core'

const PATIENCE = 20_000

/** A browser; whoever opens it closes it. */
export async function browser() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  // The sandbox of Chromium cannot be had as root; nothing but pages of this machine are opened.
  const args = process.getuid() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath, args })
}

/** A page of a fresh profile, which remembers everything it complained about. */
export async function freshPage(opened, settings = {}) {
  const context = await opened.newContext({ locale: 'en-GB', ...settings })
  context.setDefaultTimeout(PATIENCE)
  const page = await context.newPage()
  page.complaints = []
  page.on('pageerror', (error) => page.complaints.push(String(error)))
  page.on('console', (line) => line.type() === 'error' && page.complaints.push(`${line.text()} (${line.location().url})`))
  return page
}
