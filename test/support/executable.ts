import { execFileSync } from 'node:child_process'

/** Returns the path of an installed program, or undefined. Debian installs servers in folders that aren't in every user's PATH. */
export function executable (command: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin"; command -v ${command}`], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}
