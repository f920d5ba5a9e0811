import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(new URL('.', import.meta.url)))

/** Another revision of the project, built in a directory of its own. */
export interface Checkout { readonly directory: string, readonly commit: string }

/**
 * Checks out and builds a revision. The directory is removed when this process exits.
 * @param ref a commit, branch or tag
 * @throws Error with the output of git or npm
 */
export function checkout (ref: string): Checkout {
  const commit = git(root, 'rev-parse', '--short', '--verify', `${ref}^{commit}`).trim()
  const directory = mkdtempSync(join(tmpdir(), 'fastify-chat-against-'))
  git(root, 'worktree', 'add', '--detach', '--force', directory, commit)
  process.on('exit', () => {
    git(root, 'worktree', 'remove', '--force', directory)
    rmSync(directory, { recursive: true, force: true })
  })
  // Other versions of the dependencies would be measured too.
  if (git(root, 'diff', '--name-only', commit, '--', 'package-lock.json') === '') symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  else run(directory, 'npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund')
  run(directory, 'npm', 'run', 'build')
  return { directory, commit }
}

function git (directory: string, ...args: string[]): string { return run(directory, 'git', ...args) }

function run (directory: string, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string, stdout?: string }
    throw new Error(`${command} ${args.join(' ')} failed: ${stderr || stdout}`, { cause: error })
  }
}
