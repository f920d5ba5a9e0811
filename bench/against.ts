import type { Checkout } from './checkout.ts'
import type { Contender } from './contenders.ts'
import type { Load, Measure } from './loads/load.ts'

/** Everything that a load may measure, costs first. `summarize` leaves out what a load doesn't measure. */
const measures: ReadonlyArray<Measure | undefined> = [undefined, 'p50', 'p99', 'route', 'roundTrips']

/** Returns a load with each of our contenders beside the same contender of another revision, and without other controls. */
export function against<L extends Load> (load: L, { directory, commit }: Checkout): L {
  const ours = load.contenders.filter(({ ours }) => ours)
  const nameOf = ({ name }: Contender) => `${name} of ${commit}`
  return {
    ...load,
    contenders: ours.flatMap((contender) => [contender, { ...contender, name: nameOf(contender), ours: false, root: directory }]),
    targets: ours.flatMap((contender) => measures.map((measure) => ({
      ours: contender.name,
      control: nameOf(contender),
      ...measure !== undefined && { measure },
      atMost: 1
    })))
  }
}
