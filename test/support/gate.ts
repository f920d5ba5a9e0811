/** A gate. `pass` waits for `open`. `reached` resolves when a call of `pass` waits. */
export function gate (): { pass (): Promise<void>, open (): void, readonly reached: Promise<void> } {
  let open!: () => void
  let reach!: () => void
  const opened = new Promise<void>((resolve) => { open = resolve })
  const reached = new Promise<void>((resolve) => { reach = resolve })
  return {
    reached,
    open,
    pass () {
      reach()
      return opened
    }
  }
}
