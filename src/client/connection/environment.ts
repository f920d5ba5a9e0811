const names = ['online', 'offline', 'visibilitychange', 'pageshow', 'pagehide', 'resume'] as const

/** An event of a browser. `visibilitychange`: the page became visible. */
export type EnvironmentEvent = typeof names[number]

/** The global variables of a browser that this file uses. A worker has no `document`, Node and React Native have none of them. */
interface Globals {
  readonly document?: { readonly visibilityState: string }
  addEventListener? (name: string, listener: () => void, options: object): void
}

/** Reports events of the network and of the page, where the environment has them. Returns a function that removes the listeners. */
export function watchEnvironment (onEvent: (name: EnvironmentEvent) => void): () => void {
  const globals = globalThis as Globals
  const controller = new AbortController()
  // `visibilitychange` and `resume` are events of `document`. `resume` doesn't bubble, but the global object captures it.
  const options = { capture: true, signal: controller.signal }
  for (const name of names) {
    globals.addEventListener?.(name, () => {
      if (name !== 'visibilitychange' || globals.document?.visibilityState === 'visible') onEvent(name)
    }, options)
  }
  return () => controller.abort()
}
