import type { Test } from 'tap'
import { run, type Run } from './command.ts'
import { escapePattern } from './escape-pattern.ts'
import { typescriptArguments } from './typescript-arguments.ts'

/** A program of examples/, run from source. */
export interface Example extends Run {
  /** The address it listens on: `127.0.0.1:3000`. */
  readonly host: string
  /** Resolves once a line with this message, and this text if given, was logged. */
  logged (msg: string, text?: string): Promise<unknown>
}

/** Starts a program of examples/. It ends with the test. */
export async function example (t: Test, name: string, env: Record<string, string> = {}): Promise<Example> {
  const program = run(t, [...typescriptArguments, `examples/${name}.ts`], { file: process.execPath, env: { PORT: '0', ...env } })
  const [, host = ''] = await program.seen(/"Server listening at http:\/\/(127\.0\.0\.1:\d+)"/)
  const field = (name: string, value: string) => escapePattern(`"${name}":${JSON.stringify(value)}`)
  return {
    ...program,
    host,
    logged: (msg, text) => program.seen(new RegExp(`^{.*${text === undefined ? '' : `${field('text', text)}.*`}${field('msg', msg)}}$`, 'm'))
  }
}
