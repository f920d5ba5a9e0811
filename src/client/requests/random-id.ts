/** Returns an id that is unique among the requests of this member. React Native has no `crypto.getRandomValues`. */
export function randomId (): string {
  const numbers = globalThis.crypto?.getRandomValues?.(new Uint32Array(4)) ?? [Date.now(), ...Array.from('abc', () => Math.random() * 2 ** 32)]
  return Array.from(numbers, (number) => Math.floor(number).toString(36)).join('-')
}
