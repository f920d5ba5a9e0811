import { readFileSync, readdirSync } from 'node:fs'
import { escapePattern } from './escape-pattern.ts'

const root = new URL('../../', import.meta.url)

/** README.md and the documents of docs/, as paths from the root of the checkout. */
export const documents: readonly string[] = ['README.md', ...readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md')).sort().map((name) => `docs/${name}`)]

export function read (file: string): string {
  return readFileSync(new URL(file, root), 'utf8')
}

/** A fenced block. info: what follows the fence: the language, and words for tests. heading: the last one before the block. */
export interface Block { readonly file: string, readonly heading: string, readonly info: string, readonly source: string }

/** Returns the blocks of a document, in order. */
export function blocksOf (file: string): Block[] {
  const blocks: Block[] = []
  let under = ''
  for (const [, heading, info = '', source = ''] of read(file).matchAll(/^#+ (.+)$|^```(.*)\n([^]*?)^```$/gm)) {
    if (heading === undefined) blocks.push({ file, heading: under, info, source })
    else under = heading
  }
  return blocks
}

/** Returns the cells of the body rows of all tables between a heading and the next one. */
export function tableUnder (file: string, heading: string): string[][] {
  const [, after] = read(file).split(new RegExp(`^#+ ${escapePattern(heading)}$`, 'm'))
  if (after === undefined) throw new Error(`${file} has no heading '${heading}'`)
  const rows = after.split(/^#/m)[0]!.split('\n').map((line) => line.startsWith('|') ? line : '')
  // The two rows before the body: the names of the columns, and the dashes.
  const isBody = (row: string, at: number) => row !== '' && !row.startsWith('| ---') && !rows[at + 1]?.startsWith('| ---')
  return rows.filter(isBody).map((row) => row.slice(1, -1).split('|').map((cell) => cell.trim()))
}

/** Returns the names in backticks. */
export function namesIn (cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
}

/** Returns the anchors of a document's headings, as GitHub makes them. */
export function anchorsOf (file: string): Set<string> {
  const headings = [...read(file).replaceAll(/^```[^]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!)
  return new Set(headings.map((heading) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').trim().replaceAll(' ', '-')))
}

/** Returns the targets of a document's links and images. */
export function linksOf (file: string): string[] {
  const text = read(file).replaceAll(/^```[^]*?^```$/gm, '').replaceAll(/`[^`]*`/g, '')
  return [...text.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)].map(([, inline, reference]) => (inline ?? reference)!)
}
