/** Returns an id that is unique among the requests of this member. It need not be secret. React Native has no `crypto.getRandomValues`. */
export function randomId (): string {
  return [Date.now(), Math.random(), Math.random()].map((number) => number.toString(36).replace('0.', '')).join('-')
}
