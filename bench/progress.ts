const { stderr } = process

/** Writes the current step to stderr. In a terminal, each step overwrites the line of the previous one. */
export class Progress {
  readonly #steps: number
  readonly #begun = performance.now()
  #done = 0

  constructor (steps: number) {
    this.#steps = steps
  }

  step (what: string): void {
    const seconds = Math.round((performance.now() - this.#begun) / 1_000)
    const left = this.#done === 0 ? '' : `, about ${Math.round(seconds / this.#done * (this.#steps - this.#done))} s left`
    const line = `${++this.#done}/${this.#steps} ${what} (${seconds} s${left})`
    stderr.write(stderr.isTTY ? `\r\x1b[2K${line}` : `${line}\n`)
  }

  end (): void {
    if (stderr.isTTY) stderr.write('\r\x1b[2K')
  }
}
