import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Interface } from 'node:readline'

/** Prints events, and reads the lines that are typed or piped in. */
export class Terminal {
  #editor: Interface | undefined

  /** Prints a line above the one being typed, which stays unchanged. */
  print (line: string): void {
    const { stdout } = process
    if (this.#editor === undefined) {
      stdout.write(`${line}\n`)
      return
    }
    const rows = this.#erase(this.#editor)
    // prompt() moves up by the rows of the former prompt before it draws.
    stdout.write(`${line}\n${'\n'.repeat(rows)}`)
    this.#editor.prompt(true)
  }

  /** Yields the lines of stdin until it ends or the signal aborts. */
  async * lines (signal: AbortSignal): AsyncGenerator<string> {
    const { stdin, stdout } = process
    const editing = stdin.isTTY && stdout.isTTY
    const lines = createInterface({ input: stdin, crlfDelay: Infinity, signal, ...(editing && { output: stdout, prompt: '> ' }) })
    if (editing) {
      this.#editor = lines
      // While a line is edited, the terminal is in raw mode, and Ctrl-C is a key instead of a signal.
      lines.on('SIGINT', () => process.emit('SIGINT'))
      lines.once('close', () => {
        this.#erase(lines)
        this.#editor = undefined
      })
      lines.prompt()
    }
    for await (const line of lines) {
      this.#editor?.prompt()
      // An empty line is a message in a file, but not on a terminal, where Enter only scrolls.
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
