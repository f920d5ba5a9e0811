import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { against } from './against.ts'
import { help, parseArguments, type Arguments } from './arguments.ts'
import { checkout } from './checkout.ts'
import type { Load } from './loads/load.ts'
import { machine, type Machine } from './machine.ts'
import { measure } from './measure.ts'
import type { Contender } from './contenders.ts'
import { profiles } from './profile.ts'
import { Progress } from './progress.ts'
import { summarize } from './result.ts'
import type { Sample } from './sample.ts'
import { legend, table } from './table.ts'

/** Seconds before each window, in which code is compiled and buffers grow. At a low rate, that takes several seconds. */
const WARM_UP = 5

/** Maximum load average of an idle machine. */
const IDLE_LOAD = 0.7

// Exiting ends all child processes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

await run(argumentsOrExit())

async function run ({ loads: chosen, against: ref, rounds, seconds, json, profile }: Arguments): Promise<void> {
  if (profile !== undefined) mkdirSync(profile, { recursive: true })
  const on = machine()
  const loads = ref === undefined ? chosen : chosenAgainst(ref, chosen)
  const steps = loads.flatMap(({ contenders }) => contenders.filter(({ missing }) => missing === undefined)).length * rounds
  const progress = new Progress(steps)
  const options = { seconds, warmUp: Math.min(WARM_UP, seconds * 2), profile }
  const results = []
  for (const load of loads) {
    const samples: Array<Map<Contender, Sample>> = []
    for (let round = 1; round <= rounds; round++) {
      const taken = new Map<Contender, Sample>()
      samples.push(taken)
      // In turn from the first and from the last, so that a drift of the machine favours none.
      for (const contender of round % 2 === 1 ? load.contenders : load.contenders.toReversed()) {
        if (contender.missing !== undefined) continue
        progress.step(`${load.name}, ${contender.name}, round ${round} of ${rounds}`)
        taken.set(contender, await measure(load, contender, options))
      }
    }
    results.push(summarize(load, samples))
  }
  progress.end()
  process.stdout.write(`${table(results)}\n\n${legend}\n${described(on)}\n`)
  if (profile !== undefined) process.stdout.write(`${profiles(profile)}\n`)
  const file = json ?? fileURLToPath(new URL('result.json', import.meta.url))
  writeFileSync(file, `${JSON.stringify({ machine: on, rounds, seconds, results }, null, 2)}\n`)
  process.stdout.write(`\nResult as JSON: ${file}\n`)
}

function chosenAgainst (ref: string, loads: readonly Load[]): readonly Load[] {
  process.stderr.write(`building ${ref}\n`)
  const other = checkout(ref)
  return loads.map((load) => against(load, other))
}

function described (on: Machine): string {
  const { load } = on
  const facts = Object.entries(on).map(([name, value]) => `${name} ${value}`).join(', ')
  return load < IDLE_LOAD ? facts : `${facts}\nThe machine was not idle (load ${load}): the numbers are not reliable.`
}

function argumentsOrExit (): Arguments {
  try {
    const parsed = parseArguments(process.argv.slice(2))
    if (!parsed.help) return parsed
    process.stdout.write(help)
    process.exit()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}
