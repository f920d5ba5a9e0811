import { readSync } from 'node:fs'
import { PAGE_HEADER, newestMeta, type DataFile } from './data-file.ts'

/** Flags of a page, and of a node in a leaf page. From LMDB's mdb.c. */
const [BRANCH, LEAF, OVERFLOW] = [1, 2, 4]
const [BIG, TREE] = [1, 2]

/** The root of an empty tree. */
const NONE = 2n ** 64n - 1n

/** Pages read between two yields. Reading them takes some milliseconds. */
const PAGES_PER_SLICE = 2_000

/**
 * Reads all pages that the database refers to. Yields the number of bytes read so far, after each slice and at the end. Returns
 * the damage; undefined if there is none. The file must not be written meanwhile.
 *
 * Detects pages that are missing, unreadable, torn, or used twice. LMDB ends the process when it reads some of these. Doesn't
 * detect changed bytes in a key or a value, because LMDB has no checksums.
 */
export function * walkPages (file: DataFile): Generator<number, string | undefined> {
  const meta = newestMeta(file)
  if (typeof meta === 'string') return meta
  const { pageSize, roots } = meta
  const pages = Math.floor(file.size / pageSize)
  const seen = new Uint8Array(pages)
  const page = Buffer.alloc(pageSize)
  const pending = roots.filter((root) => root !== NONE)
  let read = 0
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next >= pages) return `page ${next} is beyond its end`
    const number = Number(next)
    if (seen[number] === 1) return `page ${number} is used twice`
    seen[number] = 1
    readSync(file.descriptor, page, 0, pageSize, number * pageSize)
    const children = childrenOf(page, next, pages)
    if (children === undefined) return `page ${number} is unreadable`
    pending.push(...children)
    if (++read % PAGES_PER_SLICE === 0) yield read * pageSize
  }
  yield read * pageSize
  return undefined
}

/**
 * Checks the meta pages and the size of the data file. Returns the damage; undefined if there is none. Reads all pages only if
 * the file ends before its last page. Such a file may be intact, because LMDB doesn't write a page that is freed by the commit
 * that allocated it. LMDB would end the process with SIGBUS if it read a page beyond the end of the file.
 */
export function damageOfSize (file: DataFile): string | undefined {
  const meta = newestMeta(file)
  if (typeof meta === 'string') return meta
  return (meta.lastPage + 1n) * BigInt(meta.pageSize) <= file.size ? undefined : damageOfPages(file)
}

/** Reads all pages at once, as `walkPages` does. Returns the damage; undefined if there is none. */
export function damageOfPages (file: DataFile): string | undefined {
  const walk = walkPages(file)
  let step = walk.next()
  while (step.done !== true) step = walk.next()
  return step.value
}

/** Returns the pages that a page refers to; undefined if the page is damaged. */
function childrenOf (page: Buffer, number: bigint, pages: number): bigint[] | undefined {
  const flags = page.readUInt16LE(18)
  if (page.readBigUInt64LE(0) !== number) return undefined
  if ((flags & OVERFLOW) !== 0) return Number(number) + page.readUInt32LE(20) > pages ? undefined : []
  const bound = page.readUInt16LE(20)
  if (bound + PAGE_HEADER > page.length || (flags & (BRANCH | LEAF)) === 0) return undefined
  const children: bigint[] = []
  for (let i = 0; i < bound; i += 2) {
    const node = PAGE_HEADER + page.readUInt16LE(PAGE_HEADER + i)
    if (node < PAGE_HEADER + bound || node + 8 > page.length) return undefined
    const [low, kind, keyLength] = [page.readUInt32LE(node), page.readUInt16LE(node + 4), page.readUInt16LE(node + 6)]
    const data = node + 8 + keyLength
    if ((flags & BRANCH) !== 0) {
      if (data > page.length) return undefined
      children.push(BigInt(kind) << 32n | BigInt(low))
    } else if ((kind & BIG) !== 0) {
      if (data + 8 > page.length) return undefined
      children.push(page.readBigUInt64LE(data))
    } else {
      if (data + low > page.length) return undefined
      if ((kind & TREE) !== 0 && page.readBigUInt64LE(data + 40) !== NONE) children.push(page.readBigUInt64LE(data + 40))
    }
  }
  return children
}
