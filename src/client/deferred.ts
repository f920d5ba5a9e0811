import { ChatError, isOneOf } from './error.ts'

/** A promise that its owner settles. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve (value: T): void
  reject (error: Error): void
}

/** Returns a pending promise. A rejection with `closed` or `left` never causes an unhandled rejection. */
export function deferred<T> (): Deferred<T> {
  let resolve!: (value: T) => void
  let rejectPromise!: (error: Error) => void
  const promise = new Promise<T>((...settle) => { [resolve, rejectPromise] = settle })
  return {
    promise,
    resolve,
    reject (error) {
      if (error instanceof ChatError && isOneOf(error.code, 'closed', 'left')) promise.catch(() => { /* reported already */ })
      rejectPromise(error)
    }
  }
}

/** Returns a rejected promise. With `closed` or `left`, it never causes an unhandled rejection. */
export function rejected (error: ChatError): Promise<never> {
  const { reject, promise } = deferred<never>()
  reject(error)
  return promise
}
