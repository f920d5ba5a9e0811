import type { Requirement } from './requirement.ts'
import { changes } from './requirements/changes.ts'
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
import { readPositions } from './requirements/read-positions.ts'
import { receiving } from './requirements/receiving.ts'
import { resuming } from './requirements/resuming.ts'
import { pings } from './requirements/pings.ts'
import { signals } from './requirements/signals.ts'
import { Server, type ServerOptions } from './server.ts'

export const requirements: readonly Requirement[] = [
  connecting, plain, frames, hello, joining, resuming, leaving, posting, receiving, presence, signals, history, pings, errors, closing, names, changes, readPositions
].flat().sort((a, b) => a.section.localeCompare(b.section, 'en', { numeric: true }))

/** reason: of the failure; undefined if the server passed. skipped: the server doesn't announce the feature. */
export interface Result { readonly section: string, readonly title: string, readonly reason: string | undefined, readonly skipped: boolean }

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
  const features = await featuresOf(url, options)
  for (const { section, title, feature, check } of requirements) {
    if (only !== undefined && section !== only && !section.startsWith(`${only}.`)) continue
    const skipped = feature !== undefined && !features.includes(feature)
    const server = new Server(url, options)
    const reason = skipped
      ? undefined
      : await check(server).then(() => undefined, (error: unknown) => error instanceof Error ? error.message : String(error))
    server.close()
    const result = { section, title, reason, skipped }
    results.push(result)
    report(result)
  }
  return results
}

/** Resolves with the features that the server announces; with none if it doesn't answer, which the requirements report. */
async function featuresOf (url: string, options: ServerOptions): Promise<readonly string[]> {
  const server = new Server(url, options)
  try {
    return (await server.welcomedClient()).welcome.features ?? []
  } catch {
    return []
  } finally {
    server.close()
  }
}
