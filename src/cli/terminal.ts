import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Interface } from 'node:readline'

/** Where events are printed and lines are typed, or piped in. */
export class Terminal {
  #editor: Interface | undefined

  /** One line, above the one being typed, which stays as it is. */
  print (line: string): void {
    const { stdout } = process
    if (this.#editor === undefined) {
      stdout.write(`${line}\n`)
      return
    }
    const rows = this.#erase(this.#editor)
    // A prompt that is drawn again starts as many rows higher as it had before.
    stdout.write(`${line}\n${'\n'.repeat(rows)}`)
    this.#editor.prompt(true)
  }

  /** The lines of stdin until it ends, or the signal aborts. */
  async * lines (signal: AbortSignal): AsyncGenerator<string> {
    const { stdin, stdout } = process
    const editing = stdin.isTTY && stdout.isTTY
    const lines = createInterface({ input: stdin, crlfDelay: Infinity, signal, ...(editing && { output: stdout, prompt: '> ' }) })
    if (editing) {
      this.#editor = lines
      // While a line is edited the terminal is raw, and Ctrl-C is a key instead of a signal.
      lines.on('SIGINT', () => process.emit('SIGINT'))
      lines.once('close', () => {
        this.#erase(lines)
        this.#editor = undefined
      })
      lines.prompt()
    }
    for await (const line of lines) {
      this.#editor?.prompt()
      // On a terminal a bare Enter only makes room on the screen; in a file an empty line is a message.
      if (line !== '' || !stdin.isTTY) yield line
    }
  }

  #erase (editor: Interface): number {
    const { rows } = editor.getCursorPos()
    moveCursor(process.stdout, 0, -rows)
    cursorTo(process.stdout, 0)
    clearScreenDown(process.stdout)
    return rows
  }
}
