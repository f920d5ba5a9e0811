import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Creates a directory that is removed with the test. */
export function directory (t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'fastify-chat-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}
