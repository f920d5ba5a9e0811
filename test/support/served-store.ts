import type { Test } from 'tap'
import { backendWith } from './backend.ts'
import { chat, type ChatApp } from './chat-app.ts'
import type { Store } from '../../src/store.ts'

/** A chat with its store. */
export interface ServedStore extends ChatApp { readonly store: Store }

/** Builds a chat on a store in memory. @param calls replaces methods of the store */
export async function served (t: Test, calls: (works: Store) => Partial<Store> = () => ({})): Promise<ServedStore> {
  let store!: Store
  const backend = backendWith((works) => {
    store = works
    return calls(works)
  })
  return { ...await chat(t, { backend }), store }
}
