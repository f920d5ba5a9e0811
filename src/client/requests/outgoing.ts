import type { ClientMessage } from '../../protocol.ts'

type WithUndefined<Message> = Message extends unknown
  ? { [Name in keyof Message]: object extends Pick<Message, Name> ? Message[Name] | undefined : Message[Name] }
  : never

/** A message to the server. JSON.stringify leaves undefined properties out. */
export type Outgoing = WithUndefined<ClientMessage>

export function toJSON (message: Outgoing): string { return JSON.stringify(message) }
