import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Profile {
  readonly nodes: ReadonlyArray<{ readonly id: number, readonly callFrame: { readonly functionName: string, readonly url: string, readonly lineNumber: number } }>
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const SHOWN = 15

/** Returns the functions that took the most CPU time in each server, without idle time. */
export function profiles (folder: string): string {
  return readdirSync(folder).filter((file) => file.endsWith('.cpuprofile')).sort()
    .map((file) => [`\n${file}`, ...hottest(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile)].join('\n'))
    .join('\n')
}

function hottest ({ nodes, samples, timeDeltas }: Profile): string[] {
  const names = new Map(nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) =>
    [id, `${functionName || '(anonymous)'} ${url.replace(/^.*\/(?=[^/]+\/[^/]+$)/, '')}${lineNumber > 0 ? `:${lineNumber + 1}` : ''}`]))
  const times = new Map<string, number>()
  for (const [i, id] of samples.entries()) {
    const name = names.get(id)!
    if (!name.startsWith('(idle)')) times.set(name, (times.get(name) ?? 0) + timeDeltas[i]!)
  }
  const all = [...times.values()].reduce((sum, time) => sum + time, 0)
  return [...times].sort((a, b) => b[1] - a[1]).slice(0, SHOWN)
    .map(([name, time]) => `  ${(time / all * 100).toFixed(1).padStart(5)} %  ${name}`)
}
