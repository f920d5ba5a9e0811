import type { Change } from './change.ts'
import type { ChatData } from './chat-types.ts'
import type { Content } from './content.ts'

/** A change of an entry as a member or the app makes it. */
export type ChatChange =
  | { readonly type: 'edit', readonly text: string, readonly data?: ChatData }
  | { readonly type: 'delete' }
  | { readonly type: 'react', readonly reaction: string, readonly on: boolean }

/** A change as `onChange` receives it: also the end of a streamed text. unfinished: the rest of the text is missing. */
export type ReportedChange = ChatChange | { readonly type: 'end', readonly unfinished?: true }

/** A change of the store's contract that is reported to `onChange`. */
export type ReportableChange = Exclude<Change, { readonly append: string }>

/** Returns a change as the store receives it. @param content of an edit */
export function storedChange (change: ChatChange, content: Content | undefined): ReportableChange {
  switch (change.type) {
    case 'edit': return { edit: { body: content!.body as string, data: content!.data } }
    case 'delete': return { delete: true }
    case 'react': return { react: change.reaction, on: change.on }
  }
}

/** Returns a change as `onChange` receives it. */
export function reportedChange (change: ReportableChange): ReportedChange {
  if ('delete' in change) return { type: 'delete' }
  if ('react' in change) return { type: 'react', reaction: change.react, on: change.on }
  if ('end' in change) return { type: 'end', ...change.unfinished === true && { unfinished: true } }
  const { body, data } = change.edit
  return { type: 'edit', text: body, ...data !== undefined && { data: JSON.parse(data) as unknown } }
}
