import type { Change } from './change.ts'
import type { Content } from './content.ts'

/** A change of an entry as the app receives it. */
export type ChatChange =
  | { readonly type: 'edit', readonly text: string, readonly data?: unknown }
  | { readonly type: 'delete' }
  | { readonly type: 'react', readonly reaction: string, readonly on: boolean }

/** Returns a change as the store receives it. @param content of an edit */
export function storedChange (change: ChatChange, content: Content | undefined): Change {
  switch (change.type) {
    case 'edit': return { edit: { body: content!.body as string, data: content!.data } }
    case 'delete': return { delete: true }
    case 'react': return { react: change.reaction, on: change.on }
  }
}

/** Returns a change as the app receives it. */
export function chatChange (change: Change): ChatChange {
  if ('delete' in change) return { type: 'delete' }
  if ('react' in change) return { type: 'react', reaction: change.react, on: change.on }
  const { body, data } = change.edit
  return { type: 'edit', text: body, ...data !== undefined && { data: JSON.parse(data) as unknown } }
}
