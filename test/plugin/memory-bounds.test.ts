import { readFileSync } from 'node:fs'
import t from 'tap'
import { BOUNDS } from '../../src/bounds.ts'
import { resolveOptions } from '../../src/settings.ts'
import { memoryBounds } from './memory-bounds.ts'

const MiB = 1024 * 1024
const bounds = memoryBounds(resolveOptions({}, BOUNDS))
const sum = Object.values(bounds).reduce((sum, bytes) => sum + bytes, 0)

t.test('the default limits together fit into 1 GiB', async (t) => {
  t.ok(sum < 1024 * MiB, `${Math.round(sum / MiB)} MiB`)
})

t.test('the heap at the default limits fits the 512 MiB that Node uses of 1 GiB', async (t) => {
  const { store, connections, 'attended members': attended, memberships, rooms, handshakes, rings } = bounds
  const heap = store! + connections! / 2 + attended! + memberships! + rooms! + handshakes! + rings! + bounds['fan-out']!
  t.ok(heap < 512 * MiB, `${Math.round(heap / MiB)} MiB`)
})

t.test('docs/SECURITY.md states the same bounds', async (t) => {
  const text = readFileSync(new URL('../../docs/SECURITY.md', import.meta.url), 'utf8')
  const row = (name: string) => new RegExp(`^\\| ${name} \\|.*\\| (\\d+) \\|$`, 'm').exec(text)?.[1]
  for (const [name, bytes] of Object.entries(bounds)) t.equal(row(name), String(Math.ceil(bytes / MiB)), name)
  t.equal(row('together'), String(Object.values(bounds).reduce((sum, bytes) => sum + Math.ceil(bytes / MiB), 0)))
})
