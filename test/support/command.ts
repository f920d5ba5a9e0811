import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import { command } from './compiled.ts'

const { PORT, HOST, ...environment } = process.env

export interface Run {
  child: ReturnType<typeof spawn>
  /** Resolves once stdout or stderr matches. */
  seen (pattern: RegExp): Promise<RegExpExecArray>
  ended: Promise<{ code: number | null, stdout: string, stderr: string }>
}

export interface RunOptions { env?: Record<string, string>, file?: string, cwd?: string, stdin?: 'ignore' | 'pipe' }

/**
 * Runs the compiled command, or the program `file`; killed with the test. `ended` waits for its child processes too: they
 * share its fourth descriptor.
 */
export function run (t: Test, args: string[], { env = {}, file, cwd, stdin = 'ignore' }: RunOptions = {}): Run {
  const [executable = '', ...rest] = file === undefined ? [...command, ...args] : [file, ...args]
  const child = spawn(executable, rest, { cwd, env: { ...environment, ...env }, stdio: [stdin, 'pipe', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  ;(child.stdio[3] as Readable).resume()
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      child.emit('output')
    })
  }
  return {
    child,
    async seen (pattern) {
      for (;;) {
        const found = pattern.exec(output.stdout) ?? pattern.exec(output.stderr)
        if (found !== null) return found
        if (child.exitCode !== null) throw new Error(`ended without ${pattern}: ${JSON.stringify(output)}`)
        await Promise.race([once(child, 'output'), once(child, 'close')])
      }
    },
    ended: once(child, 'close').then(([code]) => ({ code, ...output }))
  }
}

/** Checks all cases concurrently: a process takes a third of a second to start. */
export async function each<T> (cases: readonly T[], check: (one: T) => Promise<void>): Promise<void> {
  await Promise.all(cases.map(check))
}

const script = '/usr/bin/script'

/** Runs the compiled command on a terminal. */
export function runOnTerminal (t: Test, args: string, { env = {}, before = '' }: { env?: Record<string, string>, before?: string } = {}): Run {
  return run(t, ['-qefc', `${before}exec ${command.join(' ')} ${args}`, '/dev/null'], { file: script, stdin: 'pipe', env: { TERM: 'xterm', ...env } })
}

/** Returns why tests on a terminal are skipped; false if they can run. */
export function noTerminal (): string | false {
  try {
    accessSync(script, constants.X_OK)
    return false
  } catch {
    return `${script} of util-linux is not installed`
  }
}
