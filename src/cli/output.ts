import type { Change, Message } from '../messages.ts'
import { printable } from '../observability/printable.ts'
import type { Terminal } from './terminal.ts'

/** A message of the v1 wire, or one of the plain wire, which has only `text` or `bytes` (Base64). */
export type ReceivedMessage = Message | { readonly text: string } | { readonly bytes: string }

/** Prints what happens on a connection. */
export interface Output {
  /** Called when the connection opens, is lost or closes. */
  status (line: string): void
  message (message: ReceivedMessage): void
  /** Called with a change of a message, and with the message before and after if it was printed. */
  change (change: Change, before?: Message, after?: Message): void
}

/** Prints a line of text for each event to stdout. */
export function textOutput (terminal: Terminal): Output {
  return {
    status: (line) => terminal.print(line),
    message: (message) => terminal.print(`Received${sender(message)}: ${content(message)}`),
    change (_change, before, after) {
      if (before === undefined || after === undefined) return
      if (after.deleted !== before.deleted) return terminal.print(`Deleted${sender(before)}: ${content(before)}`)
      if (after.text !== before.text) terminal.print(`Changed${sender(after)}: ${content(after)}`)
      if (reactions(after) !== reactions(before)) terminal.print(`Reactions to '${content(after)}'${sender(after)}: ${reactions(after)}`)
    }
  }
}

/**
 * Prints each message and each change as one line of JSON to stdout, and the status to stderr. It isn't called for a streamed message
 * before its end.
 */
export function jsonOutput (terminal: Terminal): Output {
  return {
    status: printError,
    message: (message) => terminal.print(escapeControls(JSON.stringify(message))),
    change: (change) => terminal.print(escapeControls(JSON.stringify(change)))
  }
}

/** Prints a line to stderr. */
export function printError (line: string): void {
  process.stderr.write(`${line}\n`)
}

function sender (message: ReceivedMessage): string {
  return 'from' in message && message.from !== null ? ` from ${printable(message.from.name || message.from.id)}` : ''
}

function content (message: ReceivedMessage): string {
  if ('text' in message && message.text !== undefined) {
    return `${printable(message.text)}${'unfinished' in message && message.unfinished === true ? ' (unfinished)' : ''}`
  }
  const { bytes = '' } = message as { readonly bytes?: string }
  return `${Buffer.byteLength(bytes, 'base64')} bytes of binary`
}

function reactions ({ reactions = [] }: Message): string {
  return reactions.map(({ reaction, count }) => `${printable(reaction)} ${count}`).join(', ') || 'none'
}

/** Escapes the characters that JSON leaves unescaped and that could control a terminal or end a line. */
function escapeControls (json: string): string {
  return json.replace(/[\x7f-\x9f\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
