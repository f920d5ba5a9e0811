// Compiles TypeScript for the process that loads it: `node --import ./test/support/typescript.js`. tsx does the same, and
// also reads each module of each dependency: a test that imports the plugin takes 0.6 s more of CPU time.
import module from 'node:module'

// typescript-hooks.js runs in a thread of its own. Node.js 22.15 and newer have hooks without a thread, and tsx uses them.
if ('registerHooks' in module) await import('tsx')
else module.register('./typescript-hooks.js', import.meta.url)
