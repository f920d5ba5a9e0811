import type { Checkout } from './checkout.ts'
import type { Contender } from './contenders.ts'
import type { Load, Target } from './loads/load.ts'

/** Returns a load with each of our contenders beside the same contender of another revision, and without other controls. */
export function against<L extends Load> (load: L, { directory, commit }: Checkout): L {
  const ours = load.contenders.filter(({ ours }) => ours)
  const nameOf = ({ name }: Contender) => `${name} of ${commit}`
  const measures: ReadonlyArray<NonNullable<Target['measure']> | undefined> = load.kind === 'traffic' ? [undefined, 'p50', 'p99'] : [undefined]
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
