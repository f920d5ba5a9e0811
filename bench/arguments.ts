import { parseArgs } from 'node:util'
import { loads } from './loads/index.ts'
import type { Load } from './loads/load.ts'

export const help = `Usage: npm run bench -- [options]

Compares fastify-chat with its controls: a ws broadcast loop, Socket.IO, plain
sockets, and a bare Fastify. The server and the load generator are separate
processes, started anew for each row and round. Use an idle machine with at
least two cores. All loads take about two hours.

Options:
  --load NAMES   measure only these loads, such as talk,hall; echo selects all
                 whose names begin with echo-
  --against REF  compare with this commit, branch or tag of the project instead
                 of the controls
  --rounds N     number of rounds; the table has the medians (default: 10)
  --seconds N    seconds measured for each row and round of a load with
                 messages (default: 4)
  --quick        1 round of 1 second, to check that it runs; the numbers are
                 not reliable
  --json FILE    file for the result (default: bench/result.json)
  --profile DIR  directory for CPU profiles of the servers under loads with
                 messages; the output then lists the most expensive functions,
                 and the numbers are less accurate
  -h, --help     show this help

Loads:
${loads.map(({ name, title }) => `  ${name.padEnd(18)} ${title}`).join('\n')}
`

export interface Arguments {
  readonly loads: readonly Load[]
  /** A commit, branch or tag; undefined for the controls. */
  readonly against: string | undefined
  readonly rounds: number
  readonly seconds: number
  readonly json: string | undefined
  readonly profile: string | undefined
  readonly help: boolean
}

/** @throws Error that names the invalid option */
export function parseArguments (args: string[]): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      load: { type: 'string' },
      against: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  return {
    loads: values.load === undefined ? loads : values.load.split(',').flatMap(named),
    against: values.against,
    rounds: positive('--rounds', values.rounds ?? (values.quick ? '1' : '10'), 100),
    seconds: positive('--seconds', values.seconds ?? (values.quick ? '1' : '4'), 600),
    json: values.json,
    profile: values.profile,
    help: values.help
  }
}

/** Returns the load of this name, and those whose names begin with it and a hyphen: `echo` selects all loads of echo. */
function named (wanted: string): readonly Load[] {
  const found = loads.filter(({ name }) => name === wanted || name.startsWith(`${wanted}-`))
  if (found.length === 0) throw new Error(`--load: unknown load '${wanted}'; the loads are ${loads.map(({ name }) => name).join(', ')}`)
  return found
}

function positive (option: string, text: string, most: number): number {
  const number = Number(text)
  if (!(number > 0 && number <= most)) throw new Error(`${option} must be a positive number up to ${most}, not '${text}'`)
  return number
}
