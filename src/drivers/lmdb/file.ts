import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

/** LMDB's file format, from its mdb.c. A page begins with its number, its transaction, flags and two bounds. */
const HEADER = 24
const [BRANCH, LEAF, OVERFLOW, META] = [1, 2, 4, 8]
const [BIG, TREE] = [1, 2]
const MAGIC = 0xbeefc0de
const VERSION = 2
const NONE = 2n ** 64n - 1n

interface Meta { readonly pageSize: number, readonly roots: readonly bigint[], readonly transaction: bigint }

/**
 * Returns the damage of a data file; undefined if it is intact or missing. LMDB crashes on damage: a page beyond the end of
 * the file is a SIGBUS. The file must not be written meanwhile.
 */
export function damageOf (directory: string): string | undefined {
  return examine(directory, (file, size) => {
    const metas = metaPages(file, size)
    if (typeof metas === 'string') return metas
    const { pageSize, roots } = metas.reduce((one, other) => one.transaction > other.transaction ? one : other)
    return damageOfTrees(file, size, pageSize, roots)
  })
}

/** Returns the damage of the first pages, before LMDB opens the file: LMDB would replace it with an empty one. */
export function damageOfBeginning (directory: string): string | undefined {
  return examine(directory, (file, size) => {
    const metas = metaPages(file, size)
    return typeof metas === 'string' ? metas : undefined
  })
}

function examine (directory: string, find: (file: number, size: number) => string | undefined): string | undefined {
  let file: number
  try {
    file = openSync(join(directory, 'data.mdb'), 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return find(file, fstatSync(file).size)
  } finally {
    closeSync(file)
  }
}

/** Returns the two meta pages, which LMDB writes alternately, or the damage. The newer one is current. */
function metaPages (file: number, size: number): [Meta, Meta] | string {
  if (size < HEADER + 136) return `it ends after ${size} bytes`
  const first = metaPage(file, 0)
  if (first === undefined) return 'it does not begin as it should'
  const second = first.pageSize * 2 > size ? undefined : metaPage(file, first.pageSize)
  return second === undefined || second.pageSize !== first.pageSize ? 'its second page is not as it should be' : [first, second]
}

function metaPage (file: number, at: number): Meta | undefined {
  const page = Buffer.alloc(HEADER + 136)
  readSync(file, page, 0, page.length, at)
  const isMeta = (page.readUInt16LE(18) & META) !== 0 && page.readUInt32LE(HEADER) === MAGIC
  const pageSize = page.readUInt32LE(HEADER + 24)
  if (!isMeta || page.readUInt16LE(HEADER + 4) !== VERSION || pageSize < 256 || pageSize > 65_536) return undefined
  return {
    pageSize,
    roots: [page.readBigUInt64LE(HEADER + 64), page.readBigUInt64LE(HEADER + 112)],
    transaction: page.readBigUInt64LE(HEADER + 128)
  }
}

function damageOfTrees (file: number, size: number, pageSize: number, roots: readonly bigint[]): string | undefined {
  const pages = Math.floor(size / pageSize)
  const seen = new Uint8Array(pages)
  const page = Buffer.alloc(pageSize)
  const pending = roots.filter((root) => root !== NONE)
  for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
    if (number >= pages) return `page ${number} is beyond its end`
    if (seen[Number(number)] === 1) return `page ${number} is in it twice`
    seen[Number(number)] = 1
    readSync(file, page, 0, pageSize, Number(number) * pageSize)
    const found = children(page, number, pages)
    if (found === undefined) return `page ${number} is not as it should be`
    for (const child of found) pending.push(child)
  }
  return undefined
}

/** Returns the pages that a page refers to; undefined if the page is damaged. */
function children (page: Buffer, number: bigint, pages: number): bigint[] | undefined {
  const flags = page.readUInt16LE(18)
  if (page.readBigUInt64LE(0) !== number) return undefined
  if ((flags & OVERFLOW) !== 0) return Number(number) + page.readUInt32LE(20) > pages ? undefined : []
  const bound = page.readUInt16LE(20)
  if (bound + HEADER > page.length || (flags & (BRANCH | LEAF)) === 0) return undefined
  const found: bigint[] = []
  for (let i = 0; i < bound; i += 2) {
    const node = HEADER + page.readUInt16LE(HEADER + i)
    if (node < HEADER + bound || node + 8 > page.length) return undefined
    const [low, kind, keyLength] = [page.readUInt32LE(node), page.readUInt16LE(node + 4), page.readUInt16LE(node + 6)]
    const data = node + 8 + keyLength
    if ((flags & BRANCH) !== 0) {
      if (data > page.length) return undefined
      found.push(BigInt(kind) << 32n | BigInt(low))
    } else if ((kind & BIG) !== 0) {
      if (data + 8 > page.length) return undefined
      found.push(page.readBigUInt64LE(data))
    } else {
      if (data + low > page.length) return undefined
      if ((kind & TREE) !== 0 && page.readBigUInt64LE(data + 40) !== NONE) found.push(page.readBigUInt64LE(data + 40))
    }
  }
  return found
}
