import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'

/** Wrong usage of the command: printed to stderr, exit code 2. */
export class UsageError extends Error {}

/** Calls parseArgs, and throws its errors as one-line usage errors. */
export function parse<T extends ParseArgsConfig> (config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'))) throw error
    // The rest is advice on arguments that start with a dash, which misleads after a mistyped option.
    throw new UsageError(error.message.replace(/\. To specify a positional .*/s, '').replaceAll('\n', ' '))
  }
}

/** @throws UsageError if the path, or a parent of it, is a file; a directory that doesn't exist is accepted */
export function checkDirectory (argument: string, path: string): void {
  if (path === '') throw new UsageError(`${argument} must be the path of a directory`)
  let existing = resolve(path)
  while (!existsSync(existing) && existing !== dirname(existing)) existing = dirname(existing)
  if (existsSync(existing) && !statSync(existing).isDirectory()) throw new UsageError(`${argument} must be the path of a directory, but '${existing}' is a file`)
}
