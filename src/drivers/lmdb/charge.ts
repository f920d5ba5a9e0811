import type { Row } from './record.ts'

/** Of LMDB's pages: their size, what their own header takes, and the size from which a row gets pages of its own. */
const [PAGE, PAGE_HEADER, LARGEST_NODE] = [4_096, 24, 2_034]

/** Bytes of a node beside its key and value: a header, and a pointer in its page. */
const NODE = 10

/** Bytes of the number of an entry in its key, and of the ends of its parts. */
const KEY = 11

/** Bytes charged for a room beside its rows: its head, of some 250 bytes, and its place in the order of use, with page slack. */
const ROOM = 512

/** Returns the bytes that a row takes on disk, with its key and the slack of pages that are split when they are full. */
export function chargeOfRow (room: string, row: Row): number {
  const node = NODE + KEY + Buffer.byteLength(room) + row.length
  if (node > LARGEST_NODE) return Math.ceil((row.length + PAGE_HEADER) / PAGE) * PAGE + slack(node - row.length + 8)
  return slack(node)
}

/** Returns the bytes that a room takes on disk beside its rows. */
export function chargeOfRoom (room: string): number { return ROOM + slack(2 * Buffer.byteLength(room)) }

/** A page that is split is half full; of nodes of which two fit, it has one then. */
function slack (bytes: number): number { return bytes > PAGE / 3 ? PAGE : bytes * 2 }
