let turn = 0
let counted = false

/** A number for each turn of the event loop, counted only while someone asks. */
export function currentTurn (): number {
  if (!counted) {
    counted = true
    setImmediate(() => {
      counted = false
      turn++
    })
  }
  return turn
}
