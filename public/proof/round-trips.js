// The times that the last messages took to the server and back.
const MAX_TIMES = 20

export function roundTrips () {
  const times = []
  return {
    /** @param ms between the call of `send` and the reply */
    add (ms) {
      times.push(ms)
      if (times.length > MAX_TIMES) times.shift()
    },

    /** Returns what is measured, in words; empty before the first reply. */
    get text () {
      if (times.length === 0) return ''
      const sorted = times.toSorted((one, other) => one - other)
      const middle = sorted.length >> 1
      const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
      const [min, mid, max] = [sorted[0], median, sorted.at(-1)].map((ms) => ms.toFixed(1))
      return `Round trip of the last ${times.length}: minimum ${min} ms, median ${mid} ms, maximum ${max} ms`
    }
  }
}
