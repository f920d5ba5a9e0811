import { fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

/** The name of LMDB's data file in the directory of a store. */
export const DATA_FILE = 'data.mdb'

/** Bytes of a page header: page number, transaction that wrote the page, flags, and two bounds. From LMDB's mdb.c. */
export const PAGE_HEADER = 24

/** Bytes to read of a meta page; flag, magic number and format version of a meta page. */
const META_BYTES = PAGE_HEADER + 136
const META_FLAG = 8
const MAGIC = 0xbeefc0de
const FORMAT = 2

/** An open data file. `size`: in bytes. */
export interface DataFile { readonly descriptor: number, readonly size: number }

/** The state of the database after its last commit. */
export interface Meta {
  readonly pageSize: number
  /** page numbers of two roots: the tree of free pages, and the main tree */
  readonly roots: readonly bigint[]
  /** number of the last page that is, or was, in use */
  readonly lastPage: bigint
  /** number of the commit */
  readonly transaction: bigint
}

/** Opens the data file of a directory for reading. The caller must close it. Returns undefined if there is none. */
export function openDataFile (directory: string): DataFile | undefined {
  try {
    const descriptor = openSync(join(directory, DATA_FILE), 'r')
    return { descriptor, size: fstatSync(descriptor).size }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Returns the damage of the two meta pages; undefined if they are intact. LMDB would replace a file with damaged meta pages. */
export function damageOfMetas (file: DataFile): string | undefined {
  const meta = newestMeta(file)
  return typeof meta === 'string' ? meta : undefined
}

/** Returns the newer of the two meta pages, or their damage. LMDB writes the meta pages alternately. */
export function newestMeta (file: DataFile): Meta | string {
  if (file.size < META_BYTES) return `it ends after ${file.size} bytes`
  const first = metaAt(file, 0)
  if (first === undefined) return 'its first page is not a meta page'
  const second = first.pageSize * 2 > file.size ? undefined : metaAt(file, first.pageSize)
  if (second?.pageSize !== first.pageSize) return 'its second page is not a meta page'
  return first.transaction > second.transaction ? first : second
}

function metaAt ({ descriptor }: DataFile, at: number): Meta | undefined {
  const page = Buffer.alloc(META_BYTES)
  readSync(descriptor, page, 0, page.length, at)
  const isMeta = (page.readUInt16LE(18) & META_FLAG) !== 0 && page.readUInt32LE(PAGE_HEADER) === MAGIC
  const pageSize = page.readUInt32LE(PAGE_HEADER + 24)
  if (!isMeta || page.readUInt16LE(PAGE_HEADER + 4) !== FORMAT || pageSize < 256 || pageSize > 65_536) return undefined
  return {
    pageSize,
    roots: [page.readBigUInt64LE(PAGE_HEADER + 64), page.readBigUInt64LE(PAGE_HEADER + 112)],
    lastPage: page.readBigUInt64LE(PAGE_HEADER + 120),
    transaction: page.readBigUInt64LE(PAGE_HEADER + 128)
  }
}
