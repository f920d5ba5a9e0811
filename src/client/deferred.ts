import { ChatError } from './error.ts'

/** A promise that its owner settles. */
export class Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly #reject: (error: Error) => void

  constructor () {
    let settle: { resolve: (value: T) => void, reject: (error: Error) => void }
    this.promise = new Promise((resolve, reject) => { settle = { resolve, reject } })
    this.resolve = settle!.resolve
    this.#reject = settle!.reject
  }

  reject (error: Error): void {
    if (error instanceof ChatError && (error.code === 'closed' || error.code === 'left')) this.promise.catch(() => { /* reported already */ })
    this.#reject(error)
  }
}

/** Returns a rejected promise. With `closed` or `left`, it never causes an unhandled rejection. */
export function rejected (error: ChatError): Promise<never> {
  const deferred = new Deferred<never>()
  deferred.reject(error)
  return deferred.promise
}
