import { execFile } from 'node:child_process'
import { readdir, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { directory } from './directory.ts'

export const checkout = fileURLToPath(new URL('../..', import.meta.url))

export interface Result { readonly code: number, readonly stdout: string, readonly stderr: string }

/** The environment without the variables that tap and npm set for their own children. */
export const plainEnv = Object.fromEntries(Object.entries(process.env).filter(([name]) =>
  !/^(_?TAP|NODE_OPTIONS|NODE_V8_COVERAGE|TS_NODE|npm_(package|lifecycle|config_local_prefix))/.test(name)))

/** Runs a program to its end, whatever its exit code is. */
export function run (cwd: string, file: string, args: readonly string[], env = plainEnv): Promise<Result> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env, maxBuffer: Infinity }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
  })
}

/** Runs a program and returns its output. Rejects when its exit code isn't 0. */
export async function ran (cwd: string, file: string, args: readonly string[], env = plainEnv): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, file, args, env)
  if (code !== 0) throw new Error(`${[basename(file), ...args].join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return stdout
}

/** The command that installs packages, which must allow the running version of Node. */
export const npmInstall = ['npm', 'install', '--engine-strict=true', '--prefer-offline', '--no-audit', '--no-fund'] as const

/** Returns the packages that an app installs for a version of Fastify. */
export function fastifyPackages (fastify: string, node: string): string[] {
  // Fastify itself requires the second one with engine-strict. The README documents it.
  return [`fastify@${fastify}`, ...Number.parseInt(node) < 22 ? ['light-my-request@6.6.0'] : []]
}

export interface Packed { readonly folder: string, readonly tarball: string }

/** Packs the package with the build in the checkout, in a temporary folder that is removed with the test. */
export async function packBuild (t: Test): Promise<Packed> {
  // Outside the checkout, so that its node_modules isn't found.
  const folder = await realpath(directory(t))
  await ran(checkout, 'npm', ['pack', '--ignore-scripts', '--pack-destination', folder])
  const [name = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  return { folder, tarball: join(folder, name) }
}
