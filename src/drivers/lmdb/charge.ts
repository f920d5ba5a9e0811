import type { EntryRecord } from './record.ts'

/** Bytes of an LMDB page, of the header of a page, and of the largest node that LMDB stores in a shared page. */
const [PAGE, PAGE_HEADER, LARGEST_NODE] = [4_096, 24, 2_034]

/** Bytes of a node without its key and value: its header, and the pointer to it in the page. */
const NODE = 10

/** Bytes of a record's key without the room name: the entry's index and the separators. */
const KEY = 11

/** Bytes charged for a room without its records: its head of about 250 bytes and its item in the order of use, with page slack. */
const ROOM = 512

/** Returns the bytes that a record takes on disk, with its key and page slack. */
export function chargeOfRecord (room: string, record: EntryRecord): number {
  const node = NODE + KEY + Buffer.byteLength(room) + record.length
  if (node > LARGEST_NODE) return Math.ceil((record.length + PAGE_HEADER) / PAGE) * PAGE + slack(node - record.length + 8)
  return slack(node)
}

/** Returns the bytes that a room takes on disk without its records. */
export function chargeOfRoom (room: string): number { return ROOM + slack(2 * Buffer.byteLength(room)) }

/** Returns the bytes of a node with page slack. A page that was split is half full. It has one node if a page has space for two. */
function slack (bytes: number): number { return bytes > PAGE / 3 ? PAGE : bytes * 2 }
