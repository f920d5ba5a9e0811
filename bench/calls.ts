export interface Call { readonly id: number, readonly method: string, readonly argument: unknown }
export type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string })

type Methods = Record<string, (argument: never) => unknown>

/** Answers the parent's calls in a child process, and exits when the parent does. */
export function answerCalls (methods: Methods): void {
  process.on('message', ({ id, method, argument }: Call) => {
    Promise.resolve().then(() => methods[method]!(argument as never)).then(
      (result) => reply({ id, result }),
      (error: Error) => reply({ id, error: error.message })
    )
  })
  process.on('disconnect', () => process.exit())
  // Ctrl-C signals every process of the terminal. The parent ends this process.
  process.on('SIGINT', () => {})
}

function reply (answer: Answer): void {
  if (process.connected) process.send!(answer)
}
