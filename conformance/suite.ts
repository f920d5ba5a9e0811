import type { Requirement } from './requirement.ts'
import { closing } from './requirements/closing.ts'
import { connecting } from './requirements/connecting.ts'
import { errors } from './requirements/errors.ts'
import { frames } from './requirements/frames.ts'
import { hello } from './requirements/hello.ts'
import { history } from './requirements/history.ts'
import { joining } from './requirements/joining.ts'
import { leaving } from './requirements/leaving.ts'
import { names } from './requirements/names.ts'
import { plain } from './requirements/plain.ts'
import { posting } from './requirements/posting.ts'
import { presence } from './requirements/presence.ts'
import { receiving } from './requirements/receiving.ts'
import { resuming } from './requirements/resuming.ts'
import { pings } from './requirements/pings.ts'
import { Server, type ServerOptions } from './server.ts'

export const requirements: readonly Requirement[] = [
  connecting, plain, frames, hello, joining, resuming, leaving, posting, receiving, presence, history, pings, errors, closing, names
].flat().sort((a, b) => a.section.localeCompare(b.section, 'en', { numeric: true }))

/** reason: of the failure; undefined if the server passed. */
export interface Result { readonly section: string, readonly title: string, readonly reason: string | undefined }

export interface SuiteOptions extends ServerOptions {
  /** section of the requirements to check, with its subsections: '7' or '7.3' */
  readonly only?: string | undefined
}

/**
 * Checks a server against every requirement, one at a time.
 * @param report called with each result
 */
export async function run (url: string, { only, ...options }: SuiteOptions = {}, report: (result: Result) => void = () => {}): Promise<Result[]> {
  const results: Result[] = []
  for (const { section, title, check } of requirements) {
    if (only !== undefined && section !== only && !section.startsWith(`${only}.`)) continue
    const server = new Server(url, options)
    const reason = await check(server).then(() => undefined, (error: unknown) => error instanceof Error ? error.message : String(error))
    server.close()
    const result = { section, title, reason }
    results.push(result)
    report(result)
  }
  return results
}
