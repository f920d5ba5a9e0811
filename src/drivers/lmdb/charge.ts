/** Bytes of an LMDB page, of the header of a page, and of the largest node that LMDB stores in a shared page. */
const [PAGE, PAGE_HEADER, LARGEST_NODE] = [4_096, 24, 2_034]

/** Bytes of a node without its key and value: its header, and the pointer to it in the page. */
const NODE = 10

/** Bytes of the key of a record or change without the room name: its index and the separators. */
const KEY = 11

/** Bytes charged for a room without its records and changes: its head of about 250 bytes and its item in the order of use, with page slack. */
const ROOM = 512

/** Returns the bytes that a record or the row of a change takes on disk, with its key and page slack. */
export function chargeOfRow (room: string, row: Buffer): number {
  const node = NODE + KEY + Buffer.byteLength(room) + row.length
  if (node > LARGEST_NODE) return Math.ceil((row.length + PAGE_HEADER) / PAGE) * PAGE + slack(node - row.length + 8)
  return slack(node)
}

/** Returns the bytes that a room takes on disk without its records and changes. */
export function chargeOfRoom (room: string): number { return ROOM + slack(2 * Buffer.byteLength(room)) }

/** Returns the bytes that the row of a member takes on disk, with its item in the order of use. */
export function chargeOfMember (memberId: string, row: Buffer): number {
  return chargeOfRow(memberId, row) + slack(NODE + KEY + Buffer.byteLength(memberId))
}

/** Returns the bytes of a node with page slack. A page that was split is half full. It has one node if a page has space for two. */
function slack (bytes: number): number { return bytes > PAGE / 3 ? PAGE : bytes * 2 }
