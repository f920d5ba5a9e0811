const tsx = '--import=tsx'

/**
 * Arguments of Node with which a child process compiles TypeScript as this process does. `process.execArgv` also loads tap's
 * own loader, for seconds; only the coverage report needs it.
 */
export const typescriptArguments: readonly string[] = process.execArgv.includes(tsx) ? [tsx] : process.execArgv
