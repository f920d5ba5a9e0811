import { UsageError, checkDirectory, parse } from './arguments.ts'
import { withPackage } from '../optional-package.ts'
import { reasonOf } from './storage.ts'

const help = `Usage: fastify-chat verify DIR

Reads all of the messages that serve --data DIR keeps, and reports damage. Run it
after a power failure, a full or failing disk, or on a restored copy, before a
server opens the directory: it must not be in use. Bytes that changed within a
message can't be found, as they have no checksum.

Exit status: 0 if DIR is intact, 1 if it is damaged or can't be read.

Options:
  -h, --help  show this help
`

/** ms between two lines of progress. */
const PROGRESS_INTERVAL = 2_000

/** Resolves with 0 if the store in a directory is intact, with 1 if it is damaged or can't be read. */
export async function verify (args: string[]): Promise<number> {
  const { values, positionals } = parse({ args, allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [directory, extra] = positionals
  if (directory === undefined || directory === '') throw new UsageError('the directory is missing')
  if (extra !== undefined) throw new UsageError(`one argument too many: '${extra}'`)
  checkDirectory('DIR', directory)
  try {
    const { verifyStore } = await withPackage("'verify'", 'lmdb', async () => await import('../drivers/lmdb/verify.ts'))
    let printed = Date.now()
    const extent = await verifyStore(directory, (soFar) => {
      if (Date.now() - printed < PROGRESS_INTERVAL) return
      printed = Date.now()
      process.stderr.write(`${describe(soFar)} so far\n`)
    })
    process.stdout.write(`${directory} is intact: ${describe(extent)}\n`)
    return 0
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (!String(code).startsWith('FST_CHAT_')) throw error
    process.stderr.write(`${String(code)}: ${reasonOf(error as Error)}\n`)
    return 1
  }
}

function describe ({ rooms, entries, bytes }: { readonly rooms: number, readonly entries: number, readonly bytes: number }): string {
  const [roomCount, entryCount, byteCount] = [rooms, entries, bytes].map((number) => number.toLocaleString('en'))
  return `${roomCount} rooms, ${entryCount} entries, ${byteCount} bytes read`
}
