import * as React from 'react'
import { StrictMode, createElement, useEffect, type ElementType, type ReactElement } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import { ChatClient, ClientRoom, Timeline } from '../../src/client/index.ts'
import { ChatProvider, useChatClient, useRoom, type ChatProviderProps, type UseRoomResult } from '../../src/react/index.ts'
import type { ReactPage, Tree } from './react-tree.ts'

/** The last result of each component, by its id. */
const results = new Map<string, UseRoomResult>()
const clients = new Map<string, ChatClient>()
/** Components with a result that was replaced although nothing in it had changed. */
const replaced: string[] = []
/** The states of clients that components have shown. */
const states = new Set<string>()
/** Listeners of all clients and of the window that were added and not removed. */
let listeners = 0

interface RoomProps { readonly id: string, readonly name: string, readonly history?: number | undefined, readonly size?: number | undefined }

function Room ({ id, name, history, size }: RoomProps): ReactElement {
  const result = useRoom(name, { history, size })
  const { room, status, count, error, items } = result
  useEffect(() => {
    const before = results.get(id)
    results.set(id, result)
    states.add(status.state)
    const isSame = (key: string) => before?.[key as keyof UseRoomResult] === result[key as keyof UseRoomResult]
    if (before !== undefined && before !== result && Object.keys(result).every(isSame)) replaced.push(id)
  })
  const texts = items.map(({ text = '', state }) => state === 'stored' ? text : `${text} (${state})`)
  return createElement('p', { id }, `${status.state} ${room?.name ?? 'none'} ${count} ${error?.code ?? 'ok'}: ${texts.join()}`)
}

/** Shows whether there is a client. */
export function Client (): ReactElement {
  return createElement('p', { id: 'client' }, useChatClient() === undefined ? 'none' : 'a client')
}

/** Returns the elements of a tree. */
export function elements ({ strict = false, activity, providers }: Tree): ReactElement {
  const children = providers.map(({ key, client, url, options, rooms, showsClient }, at) => {
    const given = { client: clients.get(client ?? ''), url, options } as ChatProviderProps
    const shown = rooms.map(({ id, key, ...room }) => createElement(Room, { key: key ?? id, id, ...room }))
    return createElement(ChatProvider, { ...given, key: key ?? at }, shown, showsClient && createElement(Client))
  })
  if (activity !== undefined) return createElement((React as unknown as { Activity: ElementType }).Activity, { mode: activity }, children)
  return strict ? createElement(StrictMode, null, children) : createElement('main', null, children)
}

/** Counts the listeners that are added and not removed. */
function countListeners (): void {
  const { on } = ChatClient.prototype
  ChatClient.prototype.on = function (this: ChatClient, ...args: Parameters<typeof on>) {
    const off = on.apply(this, args)
    listeners++
    return () => {
      listeners--
      off()
    }
  } as typeof on
  const { addEventListener } = globalThis
  globalThis.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    const [, , options] = args
    listeners++
    // The client removes its listeners by a signal.
    if (typeof options === 'object') options.signal?.addEventListener('abort', () => listeners--)
    addEventListener(...args)
  }
}

function start (container: Element): ReactPage {
  let root: Root | undefined
  countListeners()
  return {
    createClient (name, options) {
      clients.set(name, new ChatClient('/chat', { name, minDelay: 1, maxDelay: 20, ...options }))
    },
    client (name) { return clients.get(name)! },
    render (tree) {
      root ??= createRoot(container)
      root.render(elements(tree))
    },
    hydrate (tree) { root = hydrateRoot(container, elements(tree), { onRecoverableError: (error) => { throw error } }) },
    unmount () {
      root?.unmount()
      root = undefined
    },
    turn: () => new Promise((resolve) => { setTimeout(resolve) }),
    result (id) { return results.get(id)! },
    states: () => [...states],
    replaced: () => replaced,
    listeners: () => listeners,
    prototypes: [ChatClient.prototype, ClientRoom.prototype, Timeline.prototype]
  }
}

if ('document' in globalThis) Object.assign(globalThis, { page: start(document.querySelector('#root')!) })
