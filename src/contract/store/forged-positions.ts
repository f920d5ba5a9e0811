import type { Position } from '../../store.ts'

/** Returns the same position with another offset, if it ends with the offset; another string in any case. */
export function renumbered (position: Position, offset: number | string): Position {
  return position.replace(/\d*$/, () => String(offset))
}

/** Returns the same position with another time, if it is epoch-time-offset; another string in any case. */
export function atTime (position: Position, change: (at: number) => number): Position {
  const changed = position.replace(/-(\d+)-(?=\d+$)/, (_, at: string) => `-${change(Number(at))}-`)
  return changed === position ? `${position}-` : changed
}

const notations = ['0x3', '-3', '+3', ' 3', '3 ', '03', '3.0', '3e0', '1e3', '3n', '', 'NaN', 'Infinity', '-Infinity', '٣', '9'.repeat(16), '9'.repeat(40), '9007199254740993', '1e309', '3-3']

/** Returns strings that look like the position of an entry and name none. */
export function forged (position: Position): Position[] {
  // The drivers of this package use the format epoch-time-offset. Of another format, the position counts as the epoch.
  const [, epoch = position, at = '', n = ''] = /^(.*)-(\d+)-(\d+)$/.exec(position) ?? []
  const numbers = [...position.matchAll(/\d+/g)]
  return [
    ...notations.flatMap((number) => [`${epoch}-${at}-${number}`, `${epoch}-${number}-${n}`]),
    ...numbers.flatMap(({ 0: digits, index }) => notations.map((number) => position.slice(0, index) + number + position.slice(index + digits.length))),
    ...[epoch, `${epoch}-`, `${epoch}-${n}`, `${epoch}-${at}`, `${epoch}--`, `${epoch}--${n}`, `-${at}-${n}`, `${at}-${n}`, '-', '--', '---'],
    ...[`${epoch}-0-${n}`, `${epoch}-1-${n}`, `${epoch}-${Number(at) + 1e12}-${n}`, `${epoch}-${at}-0x${Number(n).toString(16)}`, `${epoch}-0-0`, `${epoch}-1-0`, `${epoch}-0-1`],
    ...[`${epoch}x-${at}-${n}`, `${epoch.slice(1)}-${at}-${n}`, `${epoch} -${at}-${n}`, `__proto__-${at}-${n}`, `${position}-`, `-${position}`, `${position}\n`, `\n${position}`, `${position}\u0000`, `${epoch}_${at}_${n}`]
  ].filter((forgery) => forgery !== position)
}
