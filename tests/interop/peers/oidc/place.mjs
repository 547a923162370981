// What a program of this folder is told, and how it says what it found: the first argument names a JSON file, every check
// is a line, and the last line counts them. The exit status is 0 only if all of them held.

import { readFileSync } from 'node:fs'

/** Issuer, applications and persons, as the test made them. */
export const place = JSON.parse(readFileSync(process.argv[2], 'utf8'))

let passed = 0
let failed = 0

/** Runs one check. What it returns is for the checks after it. */
export async function check(name, assertions) {
  try {
    const result = await assertions()
    passed += 1
    console.log(`ok ${name}`)
    return result
  } catch (error) {
    failed += 1
    console.log(`not ok ${name}: ${described(error)}`)
    return undefined
  }
}

/** The count, as the last line. */
export function conclude(program) {
  console.log(`${program}: ${passed} of ${passed + failed}`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}

// A cause often tells more than the error: the body of an answer, say.
function described(error) {
  const causes = []
  for (let cause = error; cause; cause = cause.cause) {
    const told = cause instanceof Error ? `${cause.code ?? cause.name}: ${cause.message} ${cause.error_description ?? ''}` : JSON.stringify(cause)
    causes.push(told)
  }
  const where = error?.stack?.split('\n').find((line) => line.includes('/peers/oidc/')) ?? ''
  return `${causes.join(' <- ')} ${where.trim()}`.replaceAll('\n', ' ').slice(0, 1500)
}
