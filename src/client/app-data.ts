import type * as wire from '../messages.ts'

/** The types of the app's own data. A type that is absent is `unknown`. */
export interface ClientTypes {
  /** of `data` of messages */
  readonly data?: unknown
  /** of `data` of members */
  readonly memberData?: unknown
}

export type DataOf<Types extends ClientTypes> = Required<Types> extends { readonly data: infer Data } ? Data : unknown

export type MemberDataOf<Types extends ClientTypes> = Required<Types> extends { readonly memberData: infer Data } ? Data : unknown

/** An object with other types for some of its properties. */
export type Retyped<Type, Properties> = { [Name in keyof Type]: Name extends keyof Properties ? Properties[Name] : Type[Name] }

/** A message. at: ISO 8601, by the server's clock. from: null if the app is the sender. bytes: base64; replaces text. */
export type Message<Data = unknown> = Retyped<wire.Message, { data: Data }>

/** A change of the message at its position. `applyChange` applies it. */
export type Change<Data = unknown> = Retyped<wire.Change, { data: Data }>
