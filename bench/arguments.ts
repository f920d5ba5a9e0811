import { parseArgs } from 'node:util'
import { loads } from './loads/index.ts'
import type { Load } from './loads/load.ts'

export const help = `Usage: npm run bench -- [options]

Measures fastify-chat against its controls: the ws loop, Socket.IO, and bare
sockets. Server and load generator are processes of their own, new for each
row and round; the machine should have two cores and nothing else to do.

Options:
  --load NAMES   some loads only, such as talk,hall
  --rounds N     rounds, of which each number is the median (default: 3)
  --seconds N    seconds measured of each row and round (default: 4)
  --quick        1 round of 1 second: to see that it runs, not to believe it
  --json FILE    where the result is written (default: bench/result.json)
  --profile DIR  writes CPU profiles of the servers there, and shows where
                 the time went; the numbers then count for less
  -h, --help     show this help

Loads:
${loads.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join('\n')}
`

export interface Arguments {
  readonly loads: readonly Load[]
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
    rounds: positive('--rounds', values.rounds ?? (values.quick ? '1' : '3'), 100),
    seconds: positive('--seconds', values.seconds ?? (values.quick ? '1' : '4'), 600),
    json: values.json,
    profile: values.profile,
    help: values.help
  }
}

/** Returns the loads of this name: `echo` is both `echo-1` and `echo-16`. */
function named (wanted: string): readonly Load[] {
  const found = loads.filter(({ name }) => name === wanted || name.startsWith(`${wanted}-`))
  if (found.length === 0) throw new Error(`no load is called '${wanted}'; there are ${loads.map(({ name }) => name).join(', ')}`)
  return found
}

function positive (option: string, text: string, most: number): number {
  const number = Number(text)
  if (!(number > 0 && number <= most)) throw new Error(`${option} must be a number up to ${most}, not '${text}'`)
  return number
}
