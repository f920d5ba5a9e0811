import type { EntryRecord } from './record.ts'

/** Bytes of an LMDB page, of its header, and of the largest node that is stored in a shared page. */
const [PAGE, PAGE_HEADER, LARGEST_NODE] = [4_096, 24, 2_034]

/** Bytes of a node without its key and value: its header, and the pointer to it in the page. */
const NODE = 10

/** Bytes of a record's key without the room name: the entry's index and the separators. */
const KEY = 11

/** Bytes charged for a room without its records: its head of about 250 bytes and its place in the order of use, with page slack. */
const ROOM = 512

/** Returns the bytes that a record takes on disk, with its key and page slack. */
export function chargeOfRecord (room: string, record: EntryRecord): number {
  const node = NODE + KEY + Buffer.byteLength(room) + record.length
  if (node > LARGEST_NODE) return Math.ceil((record.length + PAGE_HEADER) / PAGE) * PAGE + slack(node - record.length + 8)
  return slack(node)
}

/** Returns the bytes that a room takes on disk without its records. */
export function chargeOfRoom (room: string): number { return ROOM + slack(2 * Buffer.byteLength(room)) }

/** Returns the bytes of a node with page slack: a split page is half full, and holds one node if only two fit in a page. */
function slack (bytes: number): number { return bytes > PAGE / 3 ? PAGE : bytes * 2 }
