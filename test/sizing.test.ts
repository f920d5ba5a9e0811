import { readFileSync } from 'node:fs'
import t from 'tap'
import { arithmetic, services, simulation, xorshift, type Sizes } from '../bench/sizing.ts'

for (const [name, service] of Object.entries(services)) {
  t.test(`what is calculated for ${name} is what comes of trying it`, async (t) => {
    const calculated = arithmetic(service)
    const tried = simulation(service, xorshift(1))
    for (const what of Object.keys(calculated) as Array<keyof Sizes>) {
      t.ok(Math.abs(tried[what] / calculated[what] - 1) < 0.02, `${what}: ${calculated[what]} calculated, ${tried[what]} counted`)
    }
  })

  t.test(`docs/SCALING.md has the numbers of ${name}`, async (t) => {
    const document = readFileSync(new URL('../docs/SCALING.md', import.meta.url), 'utf8')
    for (const [what, number] of Object.entries(arithmetic(service))) {
      t.match(document, Math.round(number).toLocaleString('en'), what)
    }
  })
}
