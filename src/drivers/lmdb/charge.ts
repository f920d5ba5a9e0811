import type { Row } from './record.ts'

/** Bytes of an LMDB page, of its header, and of the largest node that is stored in a shared page. */
const [PAGE, PAGE_HEADER, LARGEST_NODE] = [4_096, 24, 2_034]

/** Bytes of a node without its key and value: its header, and the pointer to it in the page. */
const NODE = 10

/** Bytes of a row's key without the room name: the entry's number and the separators. */
const KEY = 11

/** Bytes charged for a room without its rows: its head of about 250 bytes and its record in `uses`, with page slack. */
const ROOM = 512

/** Returns the bytes that a row takes on disk, with its key and page slack. */
export function chargeOfRow (room: string, row: Row): number {
  const node = NODE + KEY + Buffer.byteLength(room) + row.length
  if (node > LARGEST_NODE) return Math.ceil((row.length + PAGE_HEADER) / PAGE) * PAGE + slack(node - row.length + 8)
  return slack(node)
}

/** Returns the bytes that a room takes on disk without its rows. */
export function chargeOfRoom (room: string): number { return ROOM + slack(2 * Buffer.byteLength(room)) }

/** Returns the bytes of a node with page slack: a split page is half full, and holds one node if only two fit in a page. */
function slack (bytes: number): number { return bytes > PAGE / 3 ? PAGE : bytes * 2 }
