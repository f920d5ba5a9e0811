import { ChatError, isOneOf } from './error.ts'

/** A promise that its owner settles. */
export class Deferred<T> {
  declare resolve: (value: T) => void
  declare reject: (error: Error) => void
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve
    this.reject = (error) => {
      if (error instanceof ChatError && isOneOf(error.code, 'closed', 'left')) this.promise.catch(() => { /* reported already */ })
      reject(error)
    }
  })
}

/** Returns a rejected promise. With `closed` or `left`, it never causes an unhandled rejection. */
export function rejected (error: ChatError): Promise<never> {
  const { reject, promise } = new Deferred<never>()
  reject(error)
  return promise
}
