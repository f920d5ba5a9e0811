import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import './compiled.ts'
import { whole } from './fragments.ts'
import { blocksOf } from './markdown.ts'
import { program, type Program } from './program.ts'

/** Text of a block that is replaced before it is run. */
export type Instead = readonly [written: string, run: string]
export const anyPort: Instead = ['port: 3000', 'port: 0']
export const serverAt = (port: number): Instead => ['localhost:3000', `127.0.0.1:${port}`]
export const redisAt = (port: number): Instead => ['127.0.0.1:6379', `127.0.0.1:${port}`]

/** Runs a block as a program. Throws if a text to replace isn't in it. */
export type Start = (t: Test, ...instead: Instead[]) => Program

/**
 * Returns a function that runs a JavaScript block of a document.
 * @param folder inside the checkout, so that 'fastify-chat' resolves to its compiled files
 * @param at which of the JavaScript blocks under the heading
 */
export function snippet (folder: string, file: string, heading: string, at = 0): Start {
  const block = blocksOf(file).filter((block) => block.heading === heading && block.info === 'js')[at]
  if (block === undefined) throw new Error(`${file} has no JavaScript block ${at} under '${heading}'`)
  let runs = 0
  return (t, ...instead) => {
    let source = whole(block.source)
    for (const [written, run] of instead) {
      if (!source.includes(written)) throw new Error(`'${written}' is not in the block`)
      source = source.replaceAll(written, run)
    }
    const name = `${file} ${heading} ${at} ${runs++}.mjs`.replaceAll(/[^\w.]+/g, '-')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, name), source)
    return program(t, join(folder, name))
  }
}
