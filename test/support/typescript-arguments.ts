const loader = '--import=./test/support/typescript.js'

/**
 * Arguments of Node with which a child process compiles TypeScript as this process does. `process.execArgv` also loads tap's
 * own loader, for seconds; only the coverage report needs it.
 */
export const typescriptArguments: readonly string[] = process.execArgv.includes(loader)
  ? [`--import=${new URL('typescript.js', import.meta.url).href}`]
  : process.execArgv
