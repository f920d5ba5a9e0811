/** A Lua script: sent once a connection, then called by its digest. All its keys are of one room. */
export interface Script {
  /** its own, for ioredis */
  readonly name: string
  readonly keys: number
  readonly lua: string
  /** perhaps: whether it is done is not known when no answer comes */
  readonly writes: boolean
}
