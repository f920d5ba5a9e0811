/** A Lua script. It is sent once per connection, then called by its digest. All its keys share a hash slot. */
export interface Script {
  /** unique; ioredis defines a command with this name */
  readonly name: string
  /** undefined if it differs between calls */
  readonly keys: number | undefined
  readonly lua: string
  /** whether the outcome is unknown without a reply; false if the script can be repeated without harm */
  readonly writes: boolean
}
