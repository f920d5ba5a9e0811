const names = ['online', 'offline', 'visibilitychange', 'pageshow', 'pagehide', 'resume'] as const

/** An event of a browser. `visibilitychange`: the page became visible. */
export type EnvironmentEvent = typeof names[number]

/** The global variables of a browser that this file uses. A worker has no `document`, Node and React Native have none of them. */
interface Globals {
  readonly document?: { readonly visibilityState: string }
  addEventListener? (name: string, listener: Listener, capture: boolean): void
  removeEventListener? (name: string, listener: Listener, capture: boolean): void
}

type Listener = (event: { readonly type: string }) => void

/** Reports events of the network and of the page, where the environment has them. Returns a function that removes the listeners. */
export function watchEnvironment (onEvent: (name: EnvironmentEvent) => void): () => void {
  const globals = globalThis as Globals
  const listener: Listener = ({ type }) => {
    if (type !== 'visibilitychange' || globals.document?.visibilityState === 'visible') onEvent(type as EnvironmentEvent)
  }
  // `visibilitychange` and `resume` are events of `document`. `resume` doesn't bubble, but the global object captures it.
  const forEach = (method: 'addEventListener' | 'removeEventListener') => {
    for (const name of names) globals[method]?.(name, listener, true)
  }
  forEach('addEventListener')
  return () => forEach('removeEventListener')
}
