import { parseArgs, type ParseArgsConfig } from 'node:util'

/** What was typed is wrong: said on stderr, exit code 2. */
export class UsageError extends Error {}

/** parseArgs, with its complaints as one-line usage errors. */
export function parse<T extends ParseArgsConfig> (config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'))) throw error
    // What follows is advice on arguments that start with a dash, wrong for a mistyped option.
    throw new UsageError(error.message.replace(/\. To specify a positional .*/s, '').replaceAll('\n', ' '))
  }
}
