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

/** Returns a promise that the function settles, or that rejects with the error that the function throws. */
export function promised<T> (run: (result: Deferred<T>) => void): Promise<T> {
  const result = deferred<T>()
  try {
    run(result)
  } catch (error) {
    result.reject(error as Error)
  }
  return result.promise
}
