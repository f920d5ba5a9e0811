import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { clientProgram } from '../../support/client-program.ts'
import { plainEnv } from '../../support/packed.ts'
import { started } from '../../support/program.ts'

t.setTimeout(120_000)

/** Arguments that run a program. */
const runtimes: Record<string, string[]> = {
  // The second path is that of a package whose install script has run.
  Bun: [binary('@oven/bun-linux-x64/bin/bun', 'bun/bin/bun.exe')],
  Deno: [binary('@deno/linux-x64-glibc/deno'), 'run', '--allow-net', '--allow-env', '--node-modules-dir=manual', '--no-prompt']
}

function binary (...paths: string[]): string {
  return paths.map((path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))).find((path) => existsSync(path)) ?? paths[0]!
}

for (const [name, [file, ...args]] of Object.entries(runtimes)) {
  t.test(`the client connects and posts in ${name}`, async (t) => {
    const program = await clientProgram(t)
    const { code, output } = await started(t, file!, [...args, program.file], { cwd: program.folder, env: { ...plainEnv, DENO_NO_UPDATE_CHECK: '1' } }).ended
    t.match({ code, output }, { code: 0, output: /^posted$/m })
  })
}
