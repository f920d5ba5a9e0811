import { EntryDeleted, Forbidden, InvalidArgument, InvalidChange, NotKept, ReusedKey, StalePost, StoreUnavailable, TooManyReactions } from '../../../errors.ts'
import { parsePosition } from '../../position.ts'
import { parseRevision } from '../../revision.ts'
import { bucketOf } from './buckets.ts'
import type { InFlight } from './in-flight.ts'
import { cursorOfChange, encodeEdit } from './record.ts'
import { TickQueue, type QueuedCall } from './tick-queue.ts'
import type { Amended, Amendment, Change } from '../../../change.ts'
import type { Position } from '../../../store.ts'

interface Amending extends QueuedCall { readonly resolve: (amended: Amended) => void }

/** Bytes of memory of a change without its content: promise, closures, arguments, and their copies in ioredis. */
const CHANGE_BYTES = 2_000

/**
 * As the amend script returns it: the charge of the room, whether the changes were published, the epoch, whether the content of
 * deleted entries is still in the stream, and the outcome of each change.
 */
export type AmendReply = [charge: number, published: number, epoch: string, hasDeleted: number, ...outcomes: string[]]

/** The errors of rejected changes, by the outcome. */
const rejections: Readonly<Record<string, (room: string) => Error>> = {
  reused: () => new ReusedKey(),
  stale: () => new StalePost(),
  notKept: () => new NotKept(),
  notOwn: (room) => new Forbidden('change messages of others', room),
  deleted: () => new EntryDeleted(),
  binary: () => new InvalidChange('a binary message has no text'),
  tooMany: () => new TooManyReactions(),
  failed: () => Object.assign(new StoreUnavailable(), { cause: new Error('Redis holds invalid data of this entry') })
}

/** Changes in flight. Those of one room and one tick are sent together. */
export class AmendQueue {
  readonly #queue: TickQueue<Amending, AmendReply>

  /** @param send sends the arguments of a room's changes */
  constructor (send: (room: string, args: ReadonlyArray<string | number>) => Promise<AmendReply>, inFlight: InFlight) {
    this.#queue = new TickQueue(send, settle, inFlight)
  }

  amend (room: string, position: Position, amendment: Amendment): Promise<Amended> {
    return new Promise((resolve, reject) => {
      const args = argsOf(position, amendment)
      const bytes = args.reduce<number>((sum, arg) => sum + (typeof arg === 'string' ? arg.length : 0), 0)
      this.#queue.add(room, { args, bytes, cost: CHANGE_BYTES + 4 * bytes, resolve, reject })
    })
  }

  /** Sends the changes that wait for the end of the tick. */
  flush (): void { this.#queue.flush() }
}

function settle (room: string, changes: readonly Amending[], [, , epoch, , ...outcomes]: AmendReply): void {
  for (const [i, { resolve, reject }] of changes.entries()) {
    const outcome = outcomes[i]!
    const rejection = rejections[outcome]
    if (rejection !== undefined) {
      reject(rejection(room))
      continue
    }
    const again = outcome.startsWith('=')
    resolve({ ...cursorOfChange(epoch, again ? outcome.slice(1) : outcome), again })
  }
}

/** Returns the arguments of a change, as the script takes them. @throws InvalidArgument */
function argsOf (position: Position, { key = '', hash = '', since, by, own, change }: Amendment): Array<string | number> {
  const parts = parsePosition(position)
  const entry = parts === undefined ? ['', ''] : [parts.epoch, `${parts.at}-${parts.offset}`]
  const author = own === undefined ? '' : `[[${JSON.stringify(own)},`
  const isEdit = 'edit' in change
  return [isEdit ? key : '', isEdit ? hash : '', isEdit ? sinceOf(since) : '', ...entry, author, JSON.stringify(by), ...valueOf(change, by)]
}

/** Returns the kind of a change, its content or reaction, and the size of the content or the bucket of the member. */
function valueOf (change: Change, by: string | null): [kind: string, value: string, more: number] {
  if ('delete' in change) return ['delete', '', 0]
  if ('edit' in change) {
    const { content, size } = encodeEdit(change.edit)
    return ['edit', content, size]
  }
  if (by === null) throw new InvalidArgument('amendment.by', 'must be the id of a member')
  return [change.on ? 'react' : 'unreact', JSON.stringify(change.react), bucketOf(by)]
}

/** Returns a revision as the script parses it. An invalid revision gets an epoch that never exists, which makes it stale. */
function sinceOf (since: string | undefined): string {
  if (since === undefined) return ''
  const revision = parseRevision(since)
  return revision === undefined ? '? 0 0' : `${revision.epoch} ${revision.at} ${revision.number}`
}
