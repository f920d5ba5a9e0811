import { spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import type { Test } from 'tap'

export type Program = ReturnType<typeof program>

/** Runs a file with Node, in its folder and without the variables that tap sets for its children. Killed with the test. */
export function program (t: Test, file: string, env: Record<string, string> = {}) {
  const node = started(t, process.execPath, [file], { cwd: dirname(file), env })
  /** Resolves with the port, once it listens. */
  const port = async () => Number((await node.printed(/"Server listening at http:\/\/.*:(\d+)"/))[1])
  return { ...node, port }
}

/** Starts a program and reads its output. Killed with the test. */
export function started (t: Test, file: string, args: string[], options: Pick<SpawnOptions, 'cwd' | 'env'> = {}) {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      child.emit('output')
    })
  }
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }))
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return ended
  }
  t.teardown(() => end('SIGKILL'))
  /** Resolves with the match once the output matches. Rejects when the program ends before. */
  const printed = async (pattern: RegExp) => {
    for (;;) {
      const found = pattern.exec(output)
      if (found !== null) return found
      const over = await Promise.race([once(child, 'output').then(() => false), ended.then(() => true)])
      if (over) throw new Error(`ended without ${pattern}:\n${output}`)
    }
  }
  return { child, printed, end, ended }
}
