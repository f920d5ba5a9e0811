import { execFileSync } from 'node:child_process'

/** Returns the path of an installed program, or undefined. Debian installs servers in folders that aren't in every user's PATH. */
export function executable (command: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin"; command -v ${command}`], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

/** A program that tests need. */
export interface Installed {
  /** The reason why its tests are skipped; false if they run. In CI they must run. */
  readonly skip: string | false
  /** Returns its path. @throws unless it is installed */
  path (): string
}

/** Searches for a program, which is in the Debian package of the same name. */
export function installed (command: string): Installed {
  const found = executable(command)
  const missing = `${command} is not installed (apt-get install ${command})`
  return {
    skip: found === undefined && process.env['CI'] !== 'true' && missing,
    path () {
      if (found === undefined) throw new Error(missing)
      return found
    }
  }
}
